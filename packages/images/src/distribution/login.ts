/** docker login: do these credentials open that registry? */
import { DockerError } from '@dinghy/shared/docker/errors'
import { readAll, webRequest } from './web-request.ts'
import type { Credentials } from './credentials.ts'
import { parseChallenge, registryUrl } from './registry-client.ts'

const maxBytes = 2 ** 16

/** Resolves when they do; throws a 401 when they do not. */
export async function checkLogin(credentials: Credentials, signal?: AbortSignal): Promise<void> {
  const base = `${registryUrl(domainOf(credentials.serveraddress))}/v2/`
  const authorization = `Basic ${Buffer.from(`${credentials.username ?? ''}:${credentials.password ?? ''}`).toString('base64')}`
  const first = await webRequest(base, {}, signal)
  first.body.resume()
  const challenge = parseChallenge(first.headers['www-authenticate'])
  if (first.status !== 401 || !challenge) return

  const url = new URL(challenge.scheme === 'basic' ? base : (challenge.parameters['realm'] ?? base))
  if (challenge.scheme === 'bearer') {
    url.searchParams.set('service', challenge.parameters['service'] ?? '')
    url.searchParams.set('account', credentials.username ?? '')
  }
  const { status, body } = await webRequest(url.href, { headers: { Authorization: authorization } }, signal)
  await readAll(body, maxBytes)
  if (status >= 400)
    throw new DockerError(401, `Get ${JSON.stringify(base)}: unauthorized: incorrect username or password`)
}

/** The address of Docker Hub is still that of its first API. */
function domainOf(address = ''): string {
  const host = address.replace(/^https?:\/\//, '').split('/', 1)[0] ?? ''
  return host === '' || host === 'index.docker.io' ? 'docker.io' : host
}
