/**
 * Secrets of a build: seen by the RUN steps that mount them (`RUN --mount=type=secret`), by nobody else, and in no
 * layer.
 *
 * BuildKit asks the client for them in a session of its own; the API version without BuildKit has no place for them.
 * Here they come in a header, X-Build-Secrets, as credentials of registries do. Only our own clients send it.
 */
import { chmodSync, chownSync, writeFileSync } from 'node:fs'
import { posix } from 'node:path'
import { badParameter } from '@dinghy/shared/docker/errors'
import { userNamespace } from '@dinghy/images/files/user-namespace'
import type { StepMount } from './run-command.ts'
import type { RunMount } from '../dockerfile/run-mount.ts'

/** By id. */
export type BuildSecrets = ReadonlyMap<string, Buffer>

/** The header: base64url of a JSON object, id → content in base64. */
export function decodeSecrets(header: string | undefined): BuildSecrets {
  if (header === undefined || header === '') return new Map()
  try {
    const given = JSON.parse(Buffer.from(header, 'base64url').toString()) as Record<string, string>
    return new Map(Object.entries(given).map(([id, content]) => [id, Buffer.from(content, 'base64')]))
  } catch (error) {
    throw badParameter(`invalid X-Build-Secrets header: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** Where a step wants which secret: in a file, in a variable, or both. Pure. As BuildKit's defaults are. */
export function secretPlaces({ id, target, env }: RunMount): { id: string; path?: string; variable?: string } {
  const name = id ?? (target === undefined ? undefined : posix.basename(target)) ?? env ?? 'default'
  const path = target ?? (env === undefined ? `/run/secrets/${name}` : undefined)
  return { id: name, ...(path !== undefined ? { path } : {}), ...(env !== undefined ? { variable: env } : {}) }
}

/** `file` is a new file, that of the mount. Nothing if the build was not given it; throws if the step insists. */
export function mountSecret(
  wanted: RunMount,
  secrets: BuildSecrets,
  file: string,
): { mount?: StepMount; variable?: string } {
  const { id, path, variable } = secretPlaces(wanted)
  const content = secrets.get(id)
  if (content === undefined) {
    if (wanted.required) throw new Error(`secret ${id}: not found`)
    return {}
  }
  if (path !== undefined) {
    writeFileSync(file, content, { mode: 0o600 })
    chmodSync(file, wanted.mode ?? 0o400)
    if (process.getuid?.() === 0) {
      const { uid, gid } = userNamespace().ownerOf({ uid: wanted.uid ?? 0, gid: wanted.gid ?? 0 })
      chownSync(file, uid, gid)
    }
  }
  return {
    ...(path !== undefined ? { mount: { type: 'bind', source: file, target: path, readOnly: true } as const } : {}),
    ...(variable !== undefined ? { variable: `${variable}=${content.toString()}` } : {}),
  }
}
