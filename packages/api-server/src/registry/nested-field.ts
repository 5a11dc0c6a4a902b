/** A field of an object by the names that lead to it, as kinds describe where they keep something. */

/** Undefined where any part of the way is missing. */
export function nestedField(object: object, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, field) => (value as Record<string, unknown> | undefined)?.[field], object)
}

/** Makes the objects on the way that are missing. Changes `object` in place. */
export function setNestedField(object: object, [field, ...rest]: readonly string[], value: unknown): void {
  if (field === undefined) throw new Error('a path must name a field')
  const fields = object as Record<string, unknown>
  if (rest.length === 0) fields[field] = value
  else setNestedField((fields[field] ??= {}), rest, value)
}
