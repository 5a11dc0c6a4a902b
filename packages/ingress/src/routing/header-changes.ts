/** RequestHeaderModifier and ResponseHeaderModifier on a list of headers. Pure. */

import type { HeaderList, HeaderModifier } from './model.ts'

/** As upstream: set replaces, add appends to what is there (with a comma), remove takes all of a name away. */
export function modifyHeaders(headers: HeaderList, { set, add, remove }: HeaderModifier): string[] {
  const dropped = new Set([...set.map(({ name }) => name), ...remove].map((name) => name.toLowerCase()))
  const changed: string[] = []
  for (let index = 0; index < headers.length; index += 2) {
    const [name = '', value = ''] = [headers[index], headers[index + 1]]
    if (!dropped.has(name.toLowerCase())) changed.push(name, value)
  }
  for (const { name, value } of set) changed.push(name, value)
  for (const { name, value } of add) {
    const at = changed.findIndex((one, index) => index % 2 === 0 && one.toLowerCase() === name.toLowerCase())
    // Two cookies in one field would be one cookie.
    if (at < 0 || name.toLowerCase() === 'set-cookie') changed.push(name, value)
    else changed[at + 1] = `${changed[at + 1]},${value}`
  }
  return changed
}
