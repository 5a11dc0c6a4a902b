/**
 * Reading a document whose shape nobody has checked: each function takes a value and the path where it stands, and
 * returns it as what it must be, or throws a ConfigurationError that names the path.
 */

export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
}

/** undefined and null are the empty object, as in Go. */
export function object(
  value: unknown,
  path: string,
  { known, refused = {} }: { known: readonly string[]; refused?: Record<string, string> },
): Record<string, unknown> {
  if (value === undefined || value === null) return {}
  if (typeof value !== 'object' || Array.isArray(value)) return refuse(path || 'the document', 'must be an object')
  for (const name of Object.keys(value)) {
    const at = path === '' ? name : `${path}.${name}`
    if (Object.hasOwn(refused, name)) refuse(at, `${refused[name]}`)
    if (!known.includes(name)) throw new ConfigurationError(`strict decoding error: unknown field "${at}"`)
  }
  return value as Record<string, unknown>
}

export function list(value: unknown, path: string): unknown[] {
  if (value === undefined || value === null) return []
  return Array.isArray(value) ? value : refuse(path, 'must be a list')
}

export function text(value: unknown, path: string): string {
  return typeof value === 'string' ? value : refuse(path, 'must be a string')
}

export function flag(value: unknown, path: string): boolean {
  return value === undefined || typeof value === 'boolean' ? (value ?? false) : refuse(path, 'must be true or false')
}

export function integer(value: unknown, path: string, { least = -Infinity, most = Infinity } = {}): number {
  if (typeof value !== 'number' || !Number.isInteger(value)) return refuse(path, 'must be an integer')
  if (value >= least && value <= most) return value
  return refuse(path, most === Infinity ? `must be at least ${least}` : `must be between ${least} and ${most}`)
}

export function oneOf<T extends string>(value: unknown, path: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value)
  return (
    found ?? refuse(path, `Unsupported value: ${JSON.stringify(value)}: supported values: "${allowed.join('", "')}"`)
  )
}

export function refuse(path: string, why: string): never {
  throw new ConfigurationError(`${path}: ${why}`)
}
