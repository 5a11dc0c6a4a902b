/**
 * Node's network errors in the words of Go, which is how everybody knows them from `kubectl describe`.
 */

const reasons: Record<string, string> = {
  ECONNREFUSED: 'connect: connection refused',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  EADDRNOTAVAIL: 'connect: cannot assign requested address',
}

export function goNetworkError(error: unknown, address: string): string {
  const { code, message } = error as NodeJS.ErrnoException
  const reason = code === undefined ? undefined : reasons[code]
  if (reason) return `dial tcp ${address}: ${reason}`
  if (code === 'ECONNRESET')
    return /socket hang up/.test(message) ? 'EOF' : `read tcp ${address}: read: connection reset by peer`
  if (code === 'ENOTFOUND') return `dial tcp: lookup ${address.replace(/:\d+$/, '')}: no such host`
  return message
}
