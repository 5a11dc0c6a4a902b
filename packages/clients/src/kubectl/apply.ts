/**
 * `kubectl apply`: client-side apply. What was last applied is kept in an annotation; the patch is what changed between
 * that and the manifest, plus whatever the live object lacks. Where the real kubectl sends a strategic merge patch,
 * this sends a JSON merge patch: a changed list is sent whole, and one the manifest did not change is left to its
 * owner.
 */

import { hasReason } from '@dinghy/shared/api/errors'

import { UsageError } from '../command-line/command.ts'
import { several } from '../command-line/verbs.ts'
import { resourceNameOf } from './delete.ts'
import type { KubectlContext, Verb } from './verb.ts'
import { type Manifest, readManifests } from './manifests.ts'
import { threeWayMergePatch } from './merge-patch.ts'
import { discover, type DiscoveredResource, findResource } from './resources.ts'
import { label } from './targets.ts'

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'

export const apply: Verb = {
  words: '-f FILE|DIRECTORY|- …',
  summary: 'Make objects as files say.',
  flags: {
    filename: {
      type: 'string',
      short: 'f',
      multiple: true,
      value: 'file',
      help: 'a file, a directory, or - for stdin',
    },
  },
  async run(context) {
    const files = several(context.flags, 'filename')
    if (files.length === 0) throw new UsageError('say what to apply: -f FILE')
    const manifests = await readManifests(files)
    const known = await discover(context.client)
    let failed = 0
    for (const manifest of manifests) {
      const resource = findResource(known, resourceNameOf(manifest))
      try {
        if (!resource) throw new Error(`no matches for kind "${manifest.kind}" in version "${manifest.apiVersion}"`)
        const outcome = await applyOne(context, resource, manifest)
        console.log(`${label({ resource, name: manifest.metadata.name })} ${outcome}`)
      } catch (error) {
        // One refused object must not keep the others of a directory from being applied.
        failed++
        console.error(`Error from server: ${(error as Error).message}`)
      }
    }
    return failed > 0 ? 1 : 0
  },
}

async function applyOne(context: KubectlContext, resource: DiscoveredResource, manifest: Manifest): Promise<string> {
  const { client, signal } = context
  const namespace = resource.namespaced ? (manifest.metadata.namespace ?? context.namespace) : undefined
  const wanted = annotated({ ...manifest, metadata: { ...manifest.metadata, ...(namespace ? { namespace } : {}) } })
  const reference = { namespace, name: manifest.metadata.name }
  const options = { fieldManager: 'kubectl-client-side-apply' }
  const live = await client.get(resource, reference, {}, signal).catch((error: unknown) => {
    if (hasReason(error, 'NotFound')) return undefined
    throw error
  })
  if (!live) {
    await client.create(resource, wanted, options, signal)
    return 'created'
  }
  const original: unknown = JSON.parse(live.metadata.annotations?.[lastApplied] ?? '{}')
  const body = threeWayMergePatch(original, wanted, live)
  if (body === undefined) return 'unchanged'
  await client.patch(resource, reference, { type: 'merge', body }, options, signal)
  return 'configured'
}

function annotated(manifest: Manifest): Manifest {
  const { [lastApplied]: _previous, ...annotations } = manifest.metadata.annotations ?? {}
  const plain = { ...manifest, metadata: { ...manifest.metadata, annotations } }
  return {
    ...plain,
    metadata: { ...plain.metadata, annotations: { ...annotations, [lastApplied]: `${JSON.stringify(plain)}\n` } },
  }
}
