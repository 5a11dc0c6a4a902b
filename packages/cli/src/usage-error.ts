/**
 * A mistake of the person at the keyboard: shown as one line, without a stack, exit code 2.
 */
export class UsageError extends Error {
  /** From an error of node's parseArgs, whose message goes on about `--`; its first sentence says what is wrong. */
  static of(error: unknown, usage: string): UsageError {
    const [first] = (error as Error).message.split('. ')
    return new UsageError(`${first}\nusage: dinghy ${usage}`)
  }
}
