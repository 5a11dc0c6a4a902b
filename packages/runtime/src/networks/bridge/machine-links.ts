/**
 * What this machine's network looks like: its IPv4 routes, its interfaces and what went through them, read without
 * starting a program. /proc/net is that of the network namespace of the process that reads it.
 */
import { existsSync, readFileSync } from 'node:fs'
import type { Subnet } from '../ipam.ts'

function read(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}

export function readRoutes(): Subnet[] {
  return parseRoutes(read('/proc/net/route'))
}
export function readLinkNames(): Set<string> {
  return new Set(parseLinkNames(read('/proc/net/dev')))
}

export function readTraffic(pid: number): Record<string, Traffic> {
  return parseTraffic(read(`/proc/${pid}/net/dev`))
}

/** As the Docker API names them. */
export interface Traffic {
  rx_bytes: number
  rx_packets: number
  rx_errors: number
  rx_dropped: number
  tx_bytes: number
  tx_packets: number
  tx_errors: number
  tx_dropped: number
}

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

/** Of /proc/net/dev, without the loopback interface. */
export function parseTraffic(text: string): Record<string, Traffic> {
  const lines = text.split('\n').slice(2)
  const entries = lines.flatMap((line): [string, Traffic][] => {
    const [name = '', ...numbers] = line.trim().split(/[:\s]+/)
    if (name === '' || name === 'lo') return []
    const at = (index: number) => Number(numbers[index])
    const rx = { rx_bytes: at(0), rx_packets: at(1), rx_errors: at(2), rx_dropped: at(3) }
    return [[name, { ...rx, tx_bytes: at(8), tx_packets: at(9), tx_errors: at(10), tx_dropped: at(11) }]]
  })
  return Object.fromEntries(entries)
}
