/**
 * Where this machine already sends packets to: a cluster must not take addresses that lead somewhere else.
 */

import { readFileSync } from 'node:fs'
import { machineLink, rangesOf } from './addresses.ts'

export interface Route {
  /** "10.0.0.0/8" */
  range: string
  link: string
}

/** The kernel's main table of IPv4. Nothing where there is no such file. */
export function readRoutes(): Route[] {
  try {
    return routesIn(readFileSync('/proc/net/route', 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** /proc/net/route: titles, then a line a route: link, destination and (the eighth word) mask, in host order. Pure. */
export function routesIn(table: string): Route[] {
  const rows = table.trim().split('\n').slice(1)
  return rows.map((row) => {
    const [link = '', destination = '', , , , , , mask = ''] = row.split(/\s+/)
    const bits = Number.parseInt(mask, 16).toString(2).replaceAll('0', '').length
    return { range: `${dotted(destination)}/${bits}`, link }
  })
}

/**
 * Why a cluster in machines mode cannot have this slot, in a few words; undefined when it can. `own`: the slot is this
 * cluster's since an earlier start, so routes by its own link are its own. The default route leads everywhere and
 * counts for nothing. Pure.
 */
export function whyTaken(slot: number, routes: Route[], own = false): string | undefined {
  const others = routes.filter(({ range, link }) => !range.endsWith('/0') && !(own && link === machineLink(slot)))
  for (const wanted of rangesOf(slot)) {
    const route = others.find(({ range }) => overlap(range, wanted))
    if (route) return `this machine has a route to ${route.range} by ${route.link}, where the cluster's ${wanted} is`
  }
  return undefined
}

function overlap(a: string, b: string): boolean {
  const [first, second] = [parse(a), parse(b)]
  const size = 2 ** (32 - Math.min(first.bits, second.bits))
  return Math.floor(first.number / size) === Math.floor(second.number / size)
}

function parse(range: string): { number: number; bits: number } {
  const [address = '', bits = '32'] = range.split('/')
  return { number: address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0), bits: Number(bits) }
}

function dotted(hex: string): string {
  const bytes = hex.match(/../g) ?? []
  return bytes
    .toReversed()
    .map((byte) => Number.parseInt(byte, 16))
    .join('.')
}
