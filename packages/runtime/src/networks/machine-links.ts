/**
 * What this machine's network looks like: its IPv4 routes and its interfaces, read without starting a program. Both files
 * are those of the network namespace of the process that reads them.
 */
import { existsSync, readFileSync } from 'node:fs'
import type { Subnet } from './ipam.ts'

const read = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8') : '')

export const readRoutes = (): Subnet[] => parseRoutes(read('/proc/net/route'))
export const readLinkNames = (): Set<string> => new Set(parseLinkNames(read('/proc/net/dev')))

/** The destinations of /proc/net/route but the default one; the kernel prints addresses as little-endian numbers. */
export function parseRoutes(text: string): Subnet[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, destination, , , , , , mask] = line.split('\t')
      if (destination === undefined || mask === undefined) return []
      const prefix = numberOf(mask).toString(2).replaceAll('0', '').length
      return prefix === 0 ? [] : [{ first: numberOf(destination), prefix }]
    })
}

function numberOf(hex: string): number {
  return Buffer.from(hex.trim(), 'hex').readUInt32LE(0)
}

/** Of /proc/net/dev. */
export function parseLinkNames(text: string): string[] {
  return text
    .split('\n')
    .slice(2)
    .flatMap((line) => line.split(':', 1))
    .map((name) => name.trim())
    .filter((name) => name !== '')
}
