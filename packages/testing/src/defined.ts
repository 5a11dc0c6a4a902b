/** What a test knows to be there; the test fails where it is not. */
export function defined<T>(value: T): NonNullable<T> {
  if (value === undefined || value === null) throw new Error(`expected something, found ${value}`)
  return value
}
