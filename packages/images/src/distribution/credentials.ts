/** What `docker login` left with the client, and sends along: `X-Registry-Auth`, `X-Registry-Config`. */
import { badParameter } from '@dinghy/shared/docker/errors'

export interface Credentials {
  username?: string
  password?: string
  serveraddress?: string
  /** A refresh token, from registries that hand those out. */
  identitytoken?: string
  /** A bearer token to be used as it is. */
  registrytoken?: string
}

/** Base64url of a JSON object; an empty one means "anonymous". */
export function decodeCredentials(header: string | undefined): Credentials | undefined {
  const decoded = decode(header, 'X-Registry-Auth') as Credentials | undefined
  const isEmpty = !decoded?.username && !decoded?.identitytoken && !decoded?.registrytoken
  return isEmpty ? undefined : decoded
}

/** A build may pull from several registries: credentials by server address. */
export function decodeCredentialMap(header: string | undefined): (domain: string) => Credentials | undefined {
  const map = (decode(header, 'X-Registry-Config') ?? {}) as Record<string, Credentials>
  return (domain) => {
    const keys =
      domain === 'docker.io'
        ? ['https://index.docker.io/v1/', 'index.docker.io', 'docker.io']
        : [domain, `https://${domain}`]
    const key = keys.find((candidate) => Object.hasOwn(map, candidate))
    return key === undefined ? undefined : map[key]
  }
}

function decode(header: string | undefined, name: string): unknown {
  if (header === undefined || header === '') return undefined
  try {
    return JSON.parse(Buffer.from(header, 'base64').toString())
  } catch (error) {
    throw badParameter(`invalid ${name} header: ${error instanceof Error ? error.message : String(error)}`)
  }
}
