/**
 * Image references: what people type (`node`, `ghcr.io/a/b:1@sha256:…`) and what it means.
 *
 * A reference is parsed once, at the edge, into its full form; everything inside the runtime compares full forms.
 * `familiar…` turns them back into what a person would type. The grammar, the special treatment of Docker Hub
 * (`docker.io`, `library/`, `latest`) and the error texts are those of github.com/distribution/reference.
 */

export interface Reference {
  /** Registry host with optional port: `docker.io`, `localhost:5000`. */
  domain: string
  /** Repository within the registry: `library/node`. */
  path: string
  tag?: string
  /** `sha256:…`, when the reference names one exact manifest. */
  digest?: string
}

export class InvalidReferenceError extends Error {}

const defaultDomain = 'docker.io'
const legacyDefaultDomain = 'index.docker.io'
const officialPrefix = 'library/'
const maxNameLength = 255

const domainLabel = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])'
const domainPattern = new RegExp(`^(?:${domainLabel}(?:\\.${domainLabel})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?$`)
const pathComponent = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*'
const pathPattern = new RegExp(`^${pathComponent}(?:/${pathComponent})*$`)
const tagPattern = /^\w[\w.-]{0,127}$/
const digestPattern = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/
const sha256 = /^sha256:[0-9a-f]{64}$/
const identifier = /^[a-f0-9]{64}$/

/** Parses what a person typed; the result has a domain and an official path, but no default tag. */
export function parseReference(text: string): Reference {
  if (identifier.test(text)) {
    throw new InvalidReferenceError(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`)
  }
  const [beforeDigest, digest] = splitOnce(text, '@')
  if (digest !== undefined && !digestPattern.test(digest)) throw invalid()
  // Other algorithms are registered by nobody we can verify: refuse them before anything is stored under their name.
  if (digest !== undefined && !sha256.test(digest)) throw new InvalidReferenceError('unsupported digest algorithm')

  const { domain, rest } = splitDomain(beforeDigest)
  const colon = rest.lastIndexOf(':')
  const tag = colon >= 0 ? rest.slice(colon + 1) : undefined
  const path = colon >= 0 ? rest.slice(0, colon) : rest

  if (path !== path.toLowerCase()) {
    throw new InvalidReferenceError(`invalid reference format: repository name (${path}) must be lowercase`)
  }
  if (!domainPattern.test(domain) || !pathPattern.test(path) || (tag !== undefined && !tagPattern.test(tag)))
    throw invalid()
  if (path.length > maxNameLength) {
    throw new InvalidReferenceError(`repository name must not be more than ${maxNameLength} characters`)
  }
  return { domain, path, ...(tag !== undefined ? { tag } : {}), ...(digest !== undefined ? { digest } : {}) }
}

/** Whether the text can be parsed. */
export function isReference(text: string): boolean {
  try {
    parseReference(text)
    return true
  } catch (error) {
    if (error instanceof InvalidReferenceError) return false
    throw error
  }
}

/** The same reference, with `latest` where neither a tag nor a digest was given. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: 'latest' } : reference
}

/** Repository without tag or digest: `docker.io/library/node`. */
export function repositoryOf(reference: Pick<Reference, 'domain' | 'path'>): string {
  return `${reference.domain}/${reference.path}`
}

/** `docker.io/library/node:20`; with a digest, `docker.io/library/node:20@sha256:…`. */
export function fullName(reference: Reference): string {
  return repositoryOf(reference) + suffixOf(reference)
}

/** The repository as a person types it: `node`, `me/app`, `localhost:5000/app`. */
export function familiarRepository(reference: Pick<Reference, 'domain' | 'path'>): string {
  if (reference.domain !== defaultDomain) return repositoryOf(reference)
  const { path } = reference
  const isOfficial = path.startsWith(officialPrefix) && !path.slice(officialPrefix.length).includes('/')
  return isOfficial ? path.slice(officialPrefix.length) : path
}

/** The reference as a person types it: `node:20`. */
export function familiarName(reference: Reference): string {
  return familiarRepository(reference) + suffixOf(reference)
}

/** Whether the text can be (the beginning of) an image id rather than only a name. */
export function isIdPrefix(text: string): boolean {
  return /^(?:sha256:)?[a-f0-9]{1,64}$/.test(text)
}

function splitDomain(name: string): { domain: string; rest: string } {
  const slash = name.indexOf('/')
  const first = name.slice(0, Math.max(slash, 0))
  // `a/b` is a repository of Docker Hub; only something that cannot be one is taken for a host.
  const isDomain = slash > 0 && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase())
  let domain = isDomain ? first : defaultDomain
  let rest = isDomain ? name.slice(slash + 1) : name
  if (domain === legacyDefaultDomain) domain = defaultDomain
  if (domain === defaultDomain && !rest.includes('/')) rest = officialPrefix + rest
  return { domain, rest }
}

function suffixOf({ tag, digest }: Reference): string {
  return (tag === undefined ? '' : `:${tag}`) + (digest === undefined ? '' : `@${digest}`)
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator)
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)]
}

function invalid(): InvalidReferenceError {
  return new InvalidReferenceError('invalid reference format')
}
