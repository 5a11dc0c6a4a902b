/**
 * Looking something up in a plain object by a key that somebody else chose: "constructor", "toString" and their like
 * are inherited by every object, and are not among its values.
 */

export function ownValue<T>(record: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined
}
