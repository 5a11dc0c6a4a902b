/**
 * `.dockerignore`: which files of a build context stay at home. Pure. Patterns are Go's filepath.Match with `**`,
 * relative to the context; a later line wins; `!` brings back.
 */

export interface IgnoreRule {
  matches: RegExp
  keep: boolean
}

export function parseIgnore(text: string): IgnoreRule[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const keep = line.startsWith('!')
      const pattern = (keep ? line.slice(1) : line).replace(/^\.?\/+/, '').replace(/\/+$/, '')
      return { keep, matches: patternToRegExp(pattern) }
    })
}

/** `path` is relative, with `/`. A directory that is ignored takes what is below it along, unless a later `!` keeps it. */
export function isIgnored(rules: IgnoreRule[], path: string): boolean {
  let ignored = false
  for (const { matches, keep } of rules) if (matches.test(path)) ignored = !keep
  return ignored
}

export function hasExceptions(rules: IgnoreRule[]): boolean {
  return rules.some(({ keep }) => keep)
}

function patternToRegExp(pattern: string): RegExp {
  const tokens = pattern.match(/\*\*\/?|\*|\?|\[[^\]]*\]|\\.|./gs) ?? []
  const source = tokens.map((token) => {
    if (token === '**/') return '(?:.*/)?'
    if (token === '**') return '.*'
    if (token === '*') return '[^/]*'
    if (token === '?') return '[^/]'
    if (token.length > 1 && token.startsWith('[')) return token.replace(/^\[\^/, '[^')
    return (token.length > 1 ? token.slice(1) : token).replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
  })
  return new RegExp(`^${source.join('')}(?:/.*)?$`, 's')
}
