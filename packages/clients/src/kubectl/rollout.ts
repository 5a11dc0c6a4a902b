/**
 * `kubectl rollout status|history|undo|restart` for Deployments. What "rolled out" means is one pure function.
 */

import { Deployments, ReplicaSets } from '@dinghy/shared/api/resources'
import { isControlledBy } from '@dinghy/shared/api/owners'
import type { Deployment, ReplicaSet } from '@dinghy/shared/api/types'
import { UsageError } from '../command-line/command.ts'
import type { KubectlContext, Verb } from './verb.ts'
import { alignRows } from '../command-line/table.ts'
import { label, oneTarget } from './targets.ts'

const revisionAnnotation = 'deployment.kubernetes.io/revision'
const changeCauseAnnotation = 'kubernetes.io/change-cause'
const hashLabel = 'pod-template-hash'

const actions: Record<string, (context: KubectlContext, name: string) => Promise<number>> = {
  status: followStatus,
  history: printHistory,
  undo,
  restart,
}

export const rollout: Verb = {
  words: 'status|history|undo|restart deployment/NAME',
  summary: 'Look at, undo or restart the rollout of a Deployment.',
  flags: { 'to-revision': { type: 'string', value: 'n', help: 'instead of the previous one' } },
  async run(context) {
    const [verb, ...words] = context.args
    const action = verb !== undefined && Object.hasOwn(actions, verb) ? actions[verb] : undefined
    if (!action) throw new UsageError(`rollout knows ${Object.keys(actions).join(', ')}`)
    const target = await oneTarget(context.client, words, 'deployments')
    if (target.resource.plural !== 'deployments')
      throw new UsageError(`${label(target)} has no rollout here; use the real kubectl`)
    return action(context, target.name)
  },
}

/** How far a rollout is, in kubectl's words; throws when it has failed for good. */
export function rolloutProgress({ metadata, spec, status }: Deployment): { done: boolean; message: string } {
  const { name, generation } = metadata
  if ((generation ?? 0) > (status.observedGeneration ?? 0)) {
    return { done: false, message: 'Waiting for deployment spec update to be observed...' }
  }
  if (status.conditions?.some((c) => c.type === 'Progressing' && c.reason === 'ProgressDeadlineExceeded')) {
    throw new Error(`deployment "${name}" exceeded its progress deadline`)
  }
  const { replicas = 0, updatedReplicas = 0, availableReplicas = 0 } = status
  const waiting = `Waiting for deployment "${name}" rollout to finish: `
  if (updatedReplicas < (spec.replicas ?? 1)) {
    return {
      done: false,
      message: `${waiting}${updatedReplicas} out of ${spec.replicas} new replicas have been updated...`,
    }
  }
  if (replicas > updatedReplicas) {
    return { done: false, message: `${waiting}${replicas - updatedReplicas} old replicas are pending termination...` }
  }
  if (availableReplicas < updatedReplicas) {
    return {
      done: false,
      message: `${waiting}${availableReplicas} of ${updatedReplicas} updated replicas are available...`,
    }
  }
  return { done: true, message: `deployment "${name}" successfully rolled out` }
}

async function followStatus({ client, namespace, signal }: KubectlContext, name: string): Promise<number> {
  const fieldSelector = `metadata.name=${name}`
  const { items, metadata } = await client.list(Deployments, { namespace, fieldSelector }, signal)
  const [first] = items
  if (!first) throw new Error(`deployments.apps "${name}" not found`)
  let progress = rolloutProgress(first)
  console.log(progress.message)
  if (progress.done) return 0
  const { resourceVersion } = metadata
  for await (const { type, object } of client.watch(
    Deployments,
    { namespace, fieldSelector, resourceVersion },
    signal,
  )) {
    if (type === 'BOOKMARK') continue
    if (type === 'DELETED') throw new Error('object has been deleted')
    const next = rolloutProgress(object)
    if (next.message !== progress.message) console.log(next.message)
    progress = next
    if (progress.done) return 0
  }
  throw new Error('the server ended the watch')
}

async function printHistory(context: KubectlContext, name: string): Promise<number> {
  const rows = (await revisionsOf(context, name)).map(({ revision, cause }) => [String(revision), cause ?? '<none>'])
  console.log(`deployment.apps/${name} `)
  console.log(alignRows([['REVISION', 'CHANGE-CAUSE'], ...rows]))
  return 0
}

async function undo(context: KubectlContext, name: string): Promise<number> {
  const revisions = await revisionsOf(context, name)
  const asked = context.flags['to-revision']
  const target = asked === undefined ? revisions.at(-2) : revisions.find(({ revision }) => revision === Number(asked))
  if (!target)
    throw new Error(
      asked === undefined
        ? 'no rollout history found'
        : `unable to find specified revision ${String(asked)} in history`,
    )
  const { [hashLabel]: _hash, ...labels } = target.template?.metadata?.labels ?? {}
  const template = { ...target.template, metadata: { ...target.template?.metadata, labels } }
  const body = [{ op: 'replace', path: '/spec/template', value: template }]
  await context.client.patch(
    Deployments,
    { namespace: context.namespace, name },
    { type: 'json', body },
    {},
    context.signal,
  )
  console.log(`deployment.apps/${name} rolled back`)
  return 0
}

async function restart({ client, namespace, signal }: KubectlContext, name: string): Promise<number> {
  const annotations = { 'kubectl.kubernetes.io/restartedAt': new Date().toISOString().replace(/\.\d+Z$/, 'Z') }
  const body = { spec: { template: { metadata: { annotations } } } }
  await client.patch(
    Deployments,
    { namespace, name },
    { type: 'strategic', body },
    { fieldManager: 'kubectl-rollout' },
    signal,
  )
  console.log(`deployment.apps/${name} restarted`)
  return 0
}

async function revisionsOf({ client, namespace, signal }: KubectlContext, name: string) {
  const deployment = await client.get(Deployments, { namespace, name }, {}, signal)
  const { items } = await client.list(ReplicaSets, { namespace }, signal)
  return items
    .filter((set) => isControlledBy(set, deployment))
    .map((set: ReplicaSet) => ({
      revision: Number(set.metadata.annotations?.[revisionAnnotation] ?? 0),
      cause: set.metadata.annotations?.[changeCauseAnnotation],
      template: set.spec.template,
    }))
    .toSorted((a, b) => a.revision - b.revision)
}
