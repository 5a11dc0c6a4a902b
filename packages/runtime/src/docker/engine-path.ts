/**
 * Paths of the Engine API, made ready for routes with one segment a parameter. Pure.
 *
 * The `/v1.NN` prefix is optional and goes. Names of images and plugins hold raw slashes, in the middle of the path
 * (/images/localhost:5000/a/b/json): they are encoded. Of two readings the literal one wins, so `/images/json` is never
 * taken for an image called "json". A stray `%` is taken literally, as a name that matches nothing.
 */

/** `[1, 41]` for /v1.41/…; undefined without a version. */
export type ApiVersion = [number, number] | undefined

/** Splits `/v1.41/containers/json` into its version and `/containers/json`. */
export function splitVersion(url: string): { version: ApiVersion; path: string } {
  const match = /^\/v(\d+)\.(\d+)(\/.*)$/.exec(url)
  if (match === null) return { version: undefined, path: url }
  return { version: [Number(match[1]), Number(match[2])], path: match[3] ?? '/' }
}

/** The URL, query included, as the routes see it. */
export function routeUrl(method: string, url: string): string {
  const { path: versionless } = splitVersion(url)
  const mark = versionless.indexOf('?')
  const path = mark < 0 ? versionless : versionless.slice(0, mark)
  const query = mark < 0 ? '' : versionless.slice(mark)
  return encodeName(method, path.replaceAll(/%(?![0-9a-fA-F]{2})/g, '%25')) + query
}

/** What may follow a name. */
const verbs: Record<string, string[]> = {
  images: ['json', 'history', 'push', 'tag', 'get'],
  distribution: ['json'],
  plugins: ['json'],
}

function encodeName(method: string, path: string): string {
  const [, root = '', ...rest] = path.split('/')
  const verb = rest.at(-1) ?? ''
  if (!Object.hasOwn(verbs, root) || rest.length < 2) return path
  const hasVerb = method !== 'DELETE' && verbs[root]?.includes(verb)
  const name = (hasVerb ? rest.slice(0, -1) : rest).join('%2F')
  return `/${root}/${name}${hasVerb ? `/${verb}` : ''}`
}
