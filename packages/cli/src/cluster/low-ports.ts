/**
 * Who may listen on ports below 1024, such as DNS' 53: root, and everybody where the kernel is told so.
 */

import { readFileSync } from 'node:fs'

const firstUnprivilegedPort = '/proc/sys/net/ipv4/ip_unprivileged_port_start'

export function mayListenOn(port: number): boolean {
  if (process.getuid?.() === 0) return true
  try {
    return Number(readFileSync(firstUnprivilegedPort, 'utf8')) <= port
  } catch (error) {
    // Not Linux: macOS lets everybody listen on all addresses, but not on one of them.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}
