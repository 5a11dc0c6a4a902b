/** Waits for something that is about to happen over real sockets. */
export async function until(condition: () => unknown, describe = () => ''): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`still not so: ${String(condition)}\n${describe()}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
