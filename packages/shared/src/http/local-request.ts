/**
 * Whether a request comes from a program of this machine, or from a stranger's web page in a browser here.
 *
 * Our servers listen on loopback and ask for no password, so what is left to keep out are browsers: a page of another
 * site shows in Origin (WebSockets send it too), a page that rebound its own DNS name to 127.0.0.1 shows in Host.
 */

import type { IncomingHttpHeaders } from 'node:http'

/** False for a Host that is a name other than localhost, and for an Origin that is not of this machine. */
export function isLocalRequest({ host, origin }: Pick<IncomingHttpHeaders, 'host' | 'origin'>): boolean {
  return (host === undefined || isAddress(hostOf(host))) && (origin === undefined || isLoopback(hostOf(origin)))
}

function hostOf(authority: string): string {
  return authority.replace(/^https?:\/\//, '').replace(/:\d+$/, '')
}

/** Nobody can rebind an address. */
function isAddress(host: string): boolean {
  return isLoopback(host) || /^\d+\.\d+\.\d+\.\d+$/.test(host)
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host)
}
