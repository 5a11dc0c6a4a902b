/** The text of anything thrown, for messages that embed another error's. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
