/**
 * Secrets for a build: `--secret id=token,src=file` as docker's CLI has it, and how they travel to the runtime.
 */

import { readFileSync } from 'node:fs'
import { UsageError } from '../command-line/command.ts'

/** The runtime takes no larger header, and secrets are short. */
const most = 12 * 1024

/** `id=ID[,src=FILE]`, `id=ID,env=VARIABLE`; without either a variable or else a file of that name. */
export function readSecret(word: string, env: Record<string, string | undefined> = process.env): [string, Buffer] {
  const fields = new Map(word.split(',').map((field) => splitOnce(field)))
  const id = fields.get('id')
  if (!id) throw new UsageError(`--secret takes id=ID,src=FILE or id=ID,env=VARIABLE, not "${word}"`)
  const variable = fields.get('env') ?? (fields.get('type') === 'env' ? id : undefined)
  const value = variable === undefined ? undefined : env[variable]
  if (variable !== undefined && value === undefined)
    throw new UsageError(`--secret: the variable ${variable} is not set`)
  if (value !== undefined) return [id, Buffer.from(value)]
  return [id, readFileSync(fields.get('src') ?? fields.get('source') ?? id)]
}

/** The header of POST /build; empty without any. */
export function secretHeaders(secrets: [string, Buffer][]): Record<string, string> {
  if (secrets.length === 0) return {}
  const text = JSON.stringify(Object.fromEntries(secrets.map(([id, content]) => [id, content.toString('base64')])))
  const header = Buffer.from(text).toString('base64url')
  if (header.length > most) throw new UsageError(`the secrets of a build may have ${most / 2} bytes in all`)
  return { 'x-build-secrets': header }
}

function splitOnce(field: string): [string, string] {
  const equals = field.indexOf('=')
  return equals < 0 ? [field, ''] : [field.slice(0, equals), field.slice(equals + 1)]
}
