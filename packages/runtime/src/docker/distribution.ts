/** GET /distribution/{name}/json: what a registry has under a name, without pulling it. */
import { digestOf } from '@dinghy/images/content/content-store'
import { UnreachableError } from '@dinghy/images/distribution/web-request'
import type { Manifest, ManifestIndex, OciImageConfig, Platform } from '@dinghy/images/content/oci'
import { isIndex } from '@dinghy/images/content/oci'
import { familiarName, withDefaultTag } from '@dinghy/shared/docker/reference'
import { decodeCredentials } from '@dinghy/images/distribution/credentials'
import { RegistryClient } from '@dinghy/images/distribution/registry-client'
import { RegistryError } from '@dinghy/images/distribution/registry-error'
import { readAll } from '@dinghy/images/distribution/web-request'
import { DockerError, serverError } from '@dinghy/shared/docker/errors'
import { referenceOr400 } from './images.ts'
import type { Router } from './router.ts'
import { sendJson } from './request.ts'

const maxConfigBytes = 8 * 2 ** 20

export function distributionRoutes(router: Router): void {
  router.add('GET', '/distribution/:name/json', async ({ params, headers, signal }, reply) => {
    const reference = withDefaultTag(referenceOr400(params['name'] ?? ''))
    const credentials = decodeCredentials(headers['x-registry-auth']?.toString())
    const client = new RegistryClient(reference, { credentials, actions: 'pull' })
    try {
      const { bytes, mediaType } = await client.manifest(reference.digest ?? reference.tag ?? 'latest', signal)
      const document = JSON.parse(bytes.toString()) as Manifest | ManifestIndex
      sendJson(reply, 200, {
        Descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length },
        Platforms: await platformsOf(document, client, signal),
      })
    } catch (error) {
      if (error instanceof UnreachableError) throw serverError(error.message, error)
      if (!(error instanceof RegistryError)) throw error
      throw new DockerError(error.status, `${familiarName(reference)}: ${error.message}`, { cause: error })
    }
  })
}

async function platformsOf(
  document: Manifest | ManifestIndex,
  client: RegistryClient,
  signal: AbortSignal,
): Promise<Platform[]> {
  if (isIndex(document)) return document.manifests.flatMap(({ platform }) => platform ?? [])
  const { body } = await client.blob(document.config.digest, 0, signal)
  const { os, architecture, variant } = JSON.parse((await readAll(body, maxConfigBytes)).toString()) as OciImageConfig
  return [{ os, architecture, ...(variant !== undefined ? { variant } : {}) }]
}
