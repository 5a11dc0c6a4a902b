/**
 * From the text of a Dockerfile to its instructions as text: continuation lines joined, comments and parser
 * directives taken out, heredocs set apart. What a line *means* is for instructions.ts.
 *
 * Follows BuildKit's parser, which reads a Dockerfile for every current Docker, including its oddities: a comment or
 * an empty line between continuation lines does not end the instruction.
 */
import { findHeredocs } from './heredoc.ts'
import type { Heredoc } from './heredoc.ts'

export interface RawInstruction {
  /** As written: `from`, `RUN`. */
  keyword: string
  /** `--name=value` words right after the keyword. */
  flags: string[]
  /** What follows them, trimmed. */
  rest: string
  heredocs: Heredoc[]
  /** The whole joined line, without heredoc bodies. */
  original: string
  /** First line, counted from 1. */
  line: number
}

export interface Lines {
  instructions: RawInstruction[]
  /** `\`, or what the `# escape=` directive says. */
  escape: string
  warnings: string[]
}

/** Errors of the text as such carry no line: Docker reports them as "failed to parse Dockerfile: …". */
export class DockerfileError extends Error {}

const directive = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/
const knownDirectives = new Set(['escape', 'syntax', 'check'])
const keywordPattern = /^(\S+)[\t\v\f\r ]*([^]*)$/
const heredocKeywords = new Set(['RUN', 'COPY', 'ADD'])

export function splitLines(text: string): Lines {
  const lines = text.replace(/^\uFEFF/, '').split('\n')
  const escape = readDirectives(lines)
  const continuation = escape === '`' ? /`[ \t]*$/ : /\\[ \t]*$/
  const instructions: RawInstruction[] = []
  const warnings: string[] = []

  for (let index = 0; index < lines.length;) {
    const first = index
    let joined = trimEnd(lines[index++] ?? '').trimStart()
    if (joined === '' || joined.startsWith('#')) continue

    let sawEmptyLine = false
    let continues = continuation.test(joined)
    joined = joined.replace(continuation, '')
    while (continues && index < lines.length) {
      const next = trimEnd(lines[index++] ?? '')
      if (next.trimStart().startsWith('#')) continue
      if (next.trim() === '') {
        sawEmptyLine = true
        continue
      }
      continues = continuation.test(next)
      joined += next.replace(continuation, '')
    }
    if (joined.trim() === '') continue
    if (sawEmptyLine) warnings.push(`[WARNING]: Empty continuation line found in:\n    ${joined}`)

    const instruction = splitKeyword(joined.trim(), first + 1)
    if (canHaveHeredocs(instruction)) {
      instruction.heredocs = findHeredocs(instruction.rest, escape)
      for (const heredoc of instruction.heredocs) index = readBody(heredoc, lines, index)
    }
    instructions.push(instruction)
  }
  if (warnings.length > 0) {
    warnings.push('[WARNING]: Empty continuation lines will become errors in a future release.')
  }
  if (instructions.length === 0) throw new DockerfileError('file with no instructions')
  return { instructions, escape, warnings }
}

/** Also used for ONBUILD, whose argument is an instruction of its own. */
export function splitKeyword(text: string, line: number): RawInstruction {
  const match = keywordPattern.exec(text)
  const keyword = match?.[1] ?? text
  let rest = (match?.[2] ?? '').trim()
  const flags: string[] = []
  // A flag ends at the first blank outside quotes; `--` alone ends the flags.
  for (let flag = nextFlag(rest); flag !== undefined; flag = nextFlag(rest)) {
    rest = rest.slice(flag.length).trimStart()
    if (flag === '--') break
    flags.push(unquote(flag))
  }
  return { keyword, flags, rest, heredocs: [], original: text, line }
}

function canHaveHeredocs({ keyword, rest }: RawInstruction): boolean {
  const name = keyword.toUpperCase()
  if (name !== 'ONBUILD') return heredocKeywords.has(name)
  return heredocKeywords.has((rest.split(/\s/, 1)[0] ?? '').toUpperCase())
}

/** Directives stand before everything else, comments included. Returns the escape character. */
function readDirectives(lines: string[]): string {
  const seen = new Set<string>()
  let escape = '\\'
  for (const line of lines) {
    const match = directive.exec(line.trim())
    const name = match?.[1]?.toLowerCase() ?? ''
    if (!match || !knownDirectives.has(name)) break
    if (seen.has(name)) throw new DockerfileError(`only one ${name} parser directive can be used`)
    seen.add(name)
    if (name !== 'escape') continue
    escape = match[2] ?? ''
    if (escape !== '\\' && escape !== '`') {
      throw new DockerfileError(`invalid escape token '${escape}' does not match \` or \\`)
    }
  }
  return escape
}

/** Collects the lines up to the terminator; returns the index after it. */
function readBody(heredoc: Heredoc, lines: string[], from: number): number {
  const body: string[] = []
  for (let index = from; index < lines.length; index++) {
    const line = trimEnd(lines[index] ?? '')
    if ((heredoc.stripTabs ? line.replace(/^\t+/, '') : line) === heredoc.name) {
      heredoc.content = body.map((text) => `${text}\n`).join('')
      return index + 1
    }
    body.push(line)
  }
  throw new DockerfileError('unterminated heredoc')
}

function nextFlag(text: string): string | undefined {
  if (!text.startsWith('--')) return undefined
  let quote = ''
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at)
    if (quote !== '') {
      if (char === quote) quote = ''
    } else if (char === '"' || char === "'") quote = char
    else if (/\s/.test(char)) return text.slice(0, at)
  }
  return text
}

function unquote(flag: string): string {
  return flag.replace(/"([^"]*)"|'([^']*)'/g, (_match, double?: string, single?: string) => double ?? single ?? '')
}

function trimEnd(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line
}
