/**
 * One line of a component's log: pino's JSON, unless it is something else, such as a crash before the logger was up
 * or the half of a line that a full disk left.
 */

export type LogRecord = Record<string, unknown>

export function logRecord(line: string): LogRecord | undefined {
  if (!line.startsWith('{') || !line.endsWith('}')) return undefined
  try {
    return JSON.parse(line) as LogRecord
  } catch (error) {
    // Two lines torn into one look like JSON from both ends.
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
