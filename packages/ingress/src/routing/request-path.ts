/**
 * The path of a request: taken apart, made comparable, or refused. Pure.
 *
 * A route and the program behind it must not understand the same path differently, or a route that is meant to keep
 * people out can be walked around. So: percent-encoded letters, digits and "-._~" mean what they encode (RFC 3986,
 * 6.2.2.2); "." and ".." are resolved before a route is chosen, and the program gets the resolved path; a path that
 * becomes another one for whoever decodes its slashes ("..%2f", "..\") or that has a NUL is refused. Everything else is
 * handed on byte by byte: "//" stays what it is, and "%2F" is not a slash.
 */

export interface RequestPath {
  /** For comparing. */
  path: string
  /** What the backend is asked for, with the query. */
  target: string
  /** Without its "?". */
  query: string
}

/** Undefined: not to be answered but with 400. `target` is in origin form: "/path?query". */
export function readRequestPath(target: string): RequestPath | undefined {
  const question = target.indexOf('?')
  const raw = question < 0 ? target : target.slice(0, question)
  const query = question < 0 ? '' : target.slice(question + 1)
  if (isPlain(raw)) return { path: raw, target, query }
  if (!raw.startsWith('/') || /[^\x21-\x7e]|#/.test(raw) || /%(?![\da-f]{2})|%00/i.test(raw)) return undefined
  const path = normalizedPercents(raw)
  if (!hasDots(path)) return hasHiddenDots(path) ? undefined : { path, target, query }
  const resolved = resolveDots(path)
  if (resolved === undefined || hasHiddenDots(resolved)) return undefined
  return { path: resolved, target: question < 0 ? resolved : resolved + target.slice(question), query }
}

/** A path as it stands in a route. */
export function normalizedPercents(path: string): string {
  return path.replace(/%([\da-f]{2})/gi, (escape, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16))
    return /[\w.~-]/.test(character) ? character : escape.toUpperCase()
  })
}

/** Nearly all paths are. The expression is made for speed: one look at each character. */
function isPlain(raw: string): boolean {
  return /^(?:\/[\w~!$&'()*+,;=:@-][\w.~!$&'()*+,;=:@-]*)*\/?$/.test(raw) && raw !== ''
}

function hasDots(path: string): boolean {
  return /\/\.{1,2}(?:\/|$)/.test(path)
}

/** Segments that are dots for whoever takes "%2F", "\" or "%5C" for a slash, or cuts off ";parameters". */
function hasHiddenDots(path: string): boolean {
  return /(?:\/|%2F|\\|%5C)\.{1,2}(?:\/|%2F|\\|%5C|;|$)/.test(path)
}

/** Undefined when it leads out above the root. */
function resolveDots(path: string): string | undefined {
  const segments: string[] = []
  const parts = path.split('/').slice(1)
  for (const [index, part] of parts.entries()) {
    const isLast = index === parts.length - 1
    if (part === '..' && segments.pop() === undefined) return undefined
    if (part !== '.' && part !== '..') segments.push(part)
    else if (isLast) segments.push('')
  }
  return `/${segments.join('/')}`
}
