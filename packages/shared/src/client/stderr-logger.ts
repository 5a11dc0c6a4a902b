/**
 * What the client and reconcile layers ask of a logger: the part of pino's interface that they use. Any pino logger
 * fits; the layers below the process need not know which logger the process chose.
 */

export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** For programs that have no logger (tests, short commands): warnings and errors still reach a person. */
export const stderrLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: (fields, message) => writeLine('warn', fields, message),
  error: (fields, message) => writeLine('error', fields, message),
}

function writeLine(level: string, fields: object, message: string): void {
  const details = Object.entries(fields).map(([name, value]) => `${name}=${text(value)}`)
  process.stderr.write(`${level}: ${[message, ...details].join(' ')}\n`)
}

function text(value: unknown): string {
  if (value instanceof Error) return value.message
  return typeof value === 'string' ? value : JSON.stringify(value)
}
