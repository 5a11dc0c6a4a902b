/**
 * Durations, sizes and command lines as compose files write them. Pure; throws with the offending text.
 */

const nanoseconds: Record<string, number> = { ns: 1, us: 1e3, '\u00b5s': 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 }

/** "1m30s" in nanoseconds; a bare number is seconds. */
export function parseDuration(text: string | number): number {
  if (typeof text === 'number' || /^\d+(\.\d+)?$/.test(text)) return Number(text) * 1e9
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|\u00b5s|ms|s|m|h)/g)]
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text) throw new Error(`"${text}" is no duration`)
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * (nanoseconds[unit ?? ''] ?? 0), 0)
}

/** "64m", "1gb", "512" in bytes; units are powers of 1024, as docker takes them. */
export function parseBytes(text: string | number): number {
  if (typeof text === 'number') return text
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?$/i.exec(text.trim()) ?? []
  if (number === undefined) throw new Error(`"${text}" is no size`)
  return Math.round(Number(number) * 1024 ** ['', 'k', 'm', 'g', 't'].indexOf(unit.toLowerCase()))
}

/** A command line cut into words as a shell would, without expanding anything. */
export function splitCommand(text: string): string[] {
  const words: string[] = []
  let word: string | undefined
  for (const [token] of text.matchAll(/'[^']*'|"(?:\\[\s\S]|[^"\\])*"|\\[\s\S]|\s+|[^\s'"\\]+|['"\\]/g)) {
    if (token === "'" || token === '"' || token === '\\') throw new Error(`unclosed quote in ${JSON.stringify(text)}`)
    if (/^\s/.test(token)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else {
      word = (word ?? '') + unquote(token)
    }
  }
  return word === undefined ? words : [...words, word]
}

function unquote(token: string): string {
  if (token.startsWith("'")) return token.slice(1, -1)
  if (token.startsWith('"')) return token.slice(1, -1).replaceAll(/\\([$`"\\])/g, '$1')
  return token.startsWith('\\') ? token.slice(1) : token
}
