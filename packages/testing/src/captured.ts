/** What a command prints while it runs, and the exit code that it leaves: for tests of whole commands. */

export interface Ran {
  out: string
  err: string
  /** 0 when the command did not say. */
  code: number
  /** What it threw, if it did. */
  error?: Error
}

/** Nothing of it reaches the terminal. One at a time: the streams are the process'. */
export async function captured(work: () => Promise<unknown>): Promise<Ran> {
  const texts = { out: '', err: '' }
  const { stdout, stderr, exitCode } = process
  const before = {
    out: stdout.write.bind(stdout),
    err: stderr.write.bind(stderr),
    log: console.log,
    error: console.error,
  }
  const into = (name: 'out' | 'err') => (chunk: string | Uint8Array) => {
    texts[name] += Buffer.from(chunk as Uint8Array).toString()
    return true
  }
  const line =
    (name: 'out' | 'err') =>
    (...words: unknown[]) =>
      void (texts[name] += `${words.map(String).join(' ')}\n`)
  stdout.write = into('out')
  stderr.write = into('err')
  // A test runner replaces these two, so that they do not lead to the streams.
  console.log = line('out')
  console.error = line('err')
  process.exitCode = undefined
  try {
    await work()
    return { ...texts, code: (process.exitCode as number | undefined) ?? 0 }
  } catch (error) {
    return { ...texts, code: 1, error: error as Error }
  } finally {
    stdout.write = before.out
    stderr.write = before.err
    console.log = before.log
    console.error = before.error
    process.exitCode = exitCode
  }
}
