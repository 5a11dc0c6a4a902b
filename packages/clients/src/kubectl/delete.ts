/**
 * `kubectl delete`: asks for the deletion and waits until the object is gone, as the real one does.
 */

import { systemClock } from '@dinghy/shared/api/clock'
import { showWhile, some } from '../command-line/status-line.ts'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import { hasReason } from '@dinghy/shared/api/errors'
import { UsageError } from '../command-line/command.ts'
import { several } from '../command-line/verbs.ts'
import type { KubectlContext, Verb } from './verb.ts'
import { readManifests } from './manifests.ts'
import { discover, findResource, type DiscoveredResource } from './resources.ts'
import { label, parseTargets } from './targets.ts'

interface Named {
  resource: DiscoveredResource
  name: string
  namespace: string
}

export const deleteVerb: Verb = {
  words: 'KIND NAME… | KIND/NAME… | KIND --all | KIND -l SELECTOR | -f FILE',
  summary: 'Delete objects.',
  flags: {
    filename: {
      type: 'string',
      short: 'f',
      multiple: true,
      value: 'file',
      help: 'a file, a directory, or - for stdin',
    },
    selector: { type: 'string', short: 'l', value: 'selector', help: 'only objects with these labels' },
    all: { type: 'boolean', help: 'every object of the kind' },
    wait: { type: 'string', value: 'bool', help: 'false: return before the objects are gone' },
    now: { type: 'boolean', help: 'a grace period of one second' },
    'grace-period': { type: 'string', value: 'seconds', help: 'how long pods may take to end' },
    'ignore-not-found': { type: 'boolean', help: 'an object that is not there is no error' },
  },
  async run(context) {
    const objects = await chosen(context)
    if (objects.length === 0) console.log('No resources found')
    const { client, flags, signal } = context
    const grace = flags['now'] ? 1 : flags['grace-period'] === undefined ? undefined : Number(flags['grace-period'])
    const deleted: Named[] = []
    for (const object of objects) {
      try {
        const options = {
          propagationPolicy: 'Background' as const,
          ...(grace !== undefined ? { gracePeriodSeconds: grace } : {}),
        }
        await client.delete(object.resource, object, options, signal)
        deleted.push(object)
        const [kind] = label(object).split('/')
        console.log(`${kind} "${object.name}" deleted`)
      } catch (error) {
        if (!flags['ignore-not-found'] || !hasReason(error, 'NotFound')) throw error
      }
    }
    if (flags['wait'] !== 'false') await untilAllGone(context, deleted)
    return 0
  },
}

async function chosen(context: KubectlContext): Promise<Named[]> {
  const { client, flags, args, namespace } = context
  const known = await discover(client)
  const files = several(flags, 'filename')
  if (files.length > 0) {
    return (await readManifests(files)).map((manifest) => {
      const resource = findResource(known, resourceNameOf(manifest))
      if (!resource) throw new Error(`no matches for kind "${manifest.kind}" in version "${manifest.apiVersion}"`)
      return { resource, name: manifest.metadata.name, namespace: manifest.metadata.namespace ?? namespace }
    })
  }
  const targets = parseTargets(known, args)
  if (targets.every((target) => target.name)) {
    return targets.map(({ resource, name }) => ({ resource, name: name ?? '', namespace }))
  }
  if (!flags['all'] && !flags['selector']) throw new UsageError('name what to delete, or say --all or -l SELECTOR')
  const labelSelector = flags['selector'] as string | undefined
  const lists = await Promise.all(
    targets.map(async ({ resource }) => {
      const within = resource.namespaced ? { namespace } : {}
      const { items } = await client.list(resource, { ...within, labelSelector })
      return items.map(({ metadata }) => ({
        resource,
        name: metadata.name,
        namespace: metadata.namespace ?? namespace,
      }))
    }),
  )
  return lists.flat()
}

export function resourceNameOf({ apiVersion, kind }: Pick<KubernetesObject, 'apiVersion' | 'kind'>): string {
  const [group, version] = apiVersion.split('/')
  return version === undefined ? kind : `${kind}.${version}.${group}`
}

/** Says which are still there when it takes long. */
async function untilAllGone(context: KubectlContext, deleted: Named[]): Promise<void> {
  const left = new Set(deleted)
  const gone = deleted.map(async (object) => {
    await untilGone(context, object)
    left.delete(object)
  })
  const waiting = () => `waiting for ${some([...left].map(label))} to be gone`
  await showWhile(Promise.all(gone), waiting, { clock: systemClock })
}

async function untilGone({ client, signal }: KubectlContext, { resource, name, namespace }: Named): Promise<void> {
  const scope = resource.namespaced ? { namespace } : {}
  const list = await client.list(resource, { ...scope, fieldSelector: `metadata.name=${name}` }, signal)
  if (list.items.length === 0) return
  const options = { ...scope, fieldSelector: `metadata.name=${name}`, resourceVersion: list.metadata.resourceVersion }
  for await (const event of client.watch(resource, options, signal)) if (event.type === 'DELETED') return
}
