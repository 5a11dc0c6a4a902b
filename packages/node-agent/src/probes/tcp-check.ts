/**
 * A TCP probe: can a connection be opened? It is closed again at once.
 */

import { connect } from 'node:net'
import type { CheckResult } from './http-check.ts'
import { goNetworkError } from './network-error.ts'

export function tcpCheck(host: string, port: number, signal: AbortSignal): Promise<CheckResult> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, signal })
    socket.once('connect', () => {
      socket.destroy()
      resolve({ outcome: 'success', output: '' })
    })
    socket.once('error', (error) => {
      const output = signal.aborted ? `dial tcp ${host}:${port}: i/o timeout` : goNetworkError(error, `${host}:${port}`)
      resolve({ outcome: 'failure', output })
    })
  })
}
