/**
 * Who may speak to this server at all: programs of this machine, its nodes and pods among them.
 *
 * It listens on this machine's loopback and on its end of the cluster's switch only, so a connection is local by
 * nature; what is left are browsers on this machine that serve a stranger. A page that rebinds its own DNS name to one
 * of these addresses shows in Host, a page of another site in Origin.
 */

import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'
import { StatusError } from '@dinghy/shared/api/errors'

/** Throws Forbidden unless Host, and Origin if there is one, name this machine. */
export function requireLocal(headers: IncomingHttpHeaders): void {
  const { host, origin } = headers
  if (host !== undefined && !isLoopbackAuthority(host) && !isAddress(host))
    throw refused(`Host ${JSON.stringify(host)} is not loopback`)
  if (origin !== undefined && !isLoopbackOrigin(origin))
    throw refused(`Origin ${JSON.stringify(origin)} is not loopback`)
}

/** How pods call this server. No stranger can own these names, so none can rebind them. */
const inClusterNames = new Set([
  'kubernetes',
  'kubernetes.default',
  'kubernetes.default.svc',
  'kubernetes.default.svc.cluster.local',
])

/** Clients say the same every time. */
let lastFound = ''

/** Nobody can rebind an address: pods call the one of the Service kubernetes. */
function isAddress(authority: string): boolean {
  return isIP(authority.replace(/:\d+$/, '')) === 4
}

function isLoopbackAuthority(authority: string): boolean {
  if (authority !== lastFound && !namesLoopback(authority)) return false
  lastFound = authority
  return true
}

function namesLoopback(authority: string): boolean {
  const host = authority.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')
  if (host === 'localhost' || host.endsWith('.localhost') || host === '::1') return true
  if (inClusterNames.has(host)) return true
  return isIP(host) === 4 && host.startsWith('127.')
}

function isLoopbackOrigin(origin: string): boolean {
  const authority = /^https?:\/\/([^/]+)$/.exec(origin)?.[1]
  return authority !== undefined && isLoopbackAuthority(authority)
}

function refused(why: string): StatusError {
  const message = `only programs of this machine may ask: ${why}`
  return new StatusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    reason: 'Forbidden',
    code: 403,
  })
}
