/**
 * `.env` files: NAME=value lines, as docker compose reads them. Pure.
 *
 * Unquoted values end at ` #`; single quotes are literal; double quotes know \n \t \" \\ \$ and may span lines;
 * unquoted and double-quoted values may use variables set above or in `env`. `export` before a name is allowed.
 */

import { type Environment, interpolate } from './interpolate.ts'

const line =
  /^[ \t]*(?:export[ \t]+)?([A-Za-z_][\w.-]*)[ \t]*(?:[=:][ \t]*(?:'([^']*)'|"((?:\\[\s\S]|[^"\\])*)"|([^\r\n]*?)))?[ \t]*(?:[ \t]#[^\r\n]*)?$/

export function parseDotenv(text: string, env: Environment = {}): Record<string, string> {
  const values: Record<string, string> = {}
  const known = (): Environment => ({ ...values, ...env })
  for (const [number, statement] of statements(text)) {
    const match = line.exec(statement)
    if (!match) throw new Error(`line ${number}: ${JSON.stringify(statement)} is no NAME=value`)
    const [whole, name = '', single, double, plain] = match
    if (single !== undefined) values[name] = single
    else if (double !== undefined) values[name] = expand(unescape(double), known())
    else if (plain !== undefined) values[name] = expand(plain, known())
    // A name alone passes the variable on from the environment, if it is there.
    else if (!/[=:]/.test(whole) && env[name] !== undefined) values[name] = env[name]
  }
  return values
}

/** Lines that say something, a quoted value's line breaks kept inside its statement. */
function statements(text: string): [number, string][] {
  const found: [number, string][] = []
  const lines = text.split(/\r?\n/)
  for (let i = 0; i < lines.length; i++) {
    const start = i
    let statement = lines[i] ?? ''
    if (/^\s*(#|$)/.test(statement)) continue
    while (hasOpenQuote(statement) && i + 1 < lines.length) statement += `\n${lines[++i]}`
    found.push([start + 1, statement])
  }
  return found
}

function hasOpenQuote(statement: string): boolean {
  const value = /^[ \t]*(?:export[ \t]+)?[\w.-]+[ \t]*[=:][ \t]*(["'])([\s\S]*)$/.exec(statement)
  if (!value) return false
  const [, quote, rest = ''] = value
  return quote === "'" ? !rest.includes("'") : !/^(?:\\[\s\S]|[^"\\])*"/.test(rest)
}

const escapes: Record<string, string> = { n: '\n', r: '\r', t: '\t', '"': '"', '\\': '\\', $: '$$' }

function unescape(text: string): string {
  return text.replaceAll(/\\([\s\S])/g, (whole, c: string) => escapes[c] ?? whole)
}

function expand(text: string, env: Environment): string {
  return interpolate(text, { env, warn: () => undefined })
}
