/** Error answers of a registry, and what Docker makes of them. */
import { DockerError } from '@dinghy/shared/docker/errors'
import type { Reference } from '@dinghy/shared/docker/reference'
import { familiarName, familiarRepository } from '@dinghy/shared/docker/reference'

export class RegistryError extends Error {
  readonly status: number
  /** `MANIFEST_UNKNOWN`, `DENIED`, …; empty when the answer was no registry's. */
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

/** From the body of an error answer: `{"errors":[{"code","message"}]}`. */
export function parseRegistryError(status: number, body: string, what: string): RegistryError {
  const first = errorsOf(body)[0]
  if (first?.code !== undefined) {
    const { code, message = '' } = first
    return new RegistryError(status, code, `${code.toLowerCase().replaceAll('_', ' ')}: ${message || 'unknown'}`)
  }
  const codes: Record<number, string> = { 401: 'UNAUTHORIZED', 403: 'DENIED', 404: 'NOT_FOUND', 429: 'TOOMANYREQUESTS' }
  const shown =
    status === 401 ? 'unauthorized: authentication required' : `received unexpected HTTP status: ${status} for ${what}`
  return new RegistryError(status, codes[status] ?? '', shown)
}

/** Docker's words, and status, for a pull that failed; anything it has no words for is passed on. */
export function describePullError(error: unknown, reference: Reference): unknown {
  if (!(error instanceof RegistryError)) return error
  const name = familiarRepository(reference)
  switch (error.code) {
    case 'DENIED':
    case 'UNAUTHORIZED':
      return new DockerError(
        404,
        `pull access denied for ${name}, repository does not exist or may require 'docker login': ${error.message}`,
        { cause: error },
      )
    case 'MANIFEST_UNKNOWN':
    case 'NOT_FOUND':
      return new DockerError(404, `manifest for ${familiarName(reference)} not found: ${error.message}`, {
        cause: error,
      })
    case 'NAME_UNKNOWN':
      return new DockerError(404, `repository ${name} not found: ${error.message}`, { cause: error })
    default:
      return new DockerError(error.status === 429 ? 429 : 500, error.message, { cause: error })
  }
}

function errorsOf(body: string): { code?: string; message?: string }[] {
  try {
    const { errors } = JSON.parse(body) as { errors?: { code?: string; message?: string }[] }
    return Array.isArray(errors) ? errors : []
  } catch (error) {
    // A proxy's HTML page, or nothing.
    if (error instanceof SyntaxError) return []
    throw error
  }
}
