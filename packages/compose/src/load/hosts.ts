/**
 * `extra_hosts`: a list or a mapping, to the engine's `name:address`. Pure.
 */

import { textOf, treeOf } from './tree.ts'

export function extraHosts(value: unknown, at: string): string[] {
  const mapping = Array.isArray(value) ? hostsToMapping(value) : treeOf(value, at)
  return Object.entries(mapping).flatMap(([host, address]) =>
    [address].flat().map((one) => `${host}:${textOf(one, at).replaceAll(/[[\]]/g, '')}`),
  )
}

/** `["db=1.2.3.4", "old:1.2.3.4"]` → `{ db: "1.2.3.4", old: "1.2.3.4" }`; an IPv6 address keeps its colons. */
export function hostsToMapping(list: unknown[]): Record<string, string> {
  return Object.fromEntries(
    list.map((item) => {
      const [, host = '', address = ''] = /^([^=:]+)[=:](.*)$/.exec(String(item)) ?? []
      return [host, address]
    }),
  )
}
