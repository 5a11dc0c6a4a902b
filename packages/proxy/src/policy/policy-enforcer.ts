/**
 * PolicyEnforcer: keeps the table of NetworkPolicies of this node as it should be. Pods and Namespaces are watched only
 * once there is a policy, so that a cluster without any pays nothing.
 *
 * It is the part that upstream leaves to the network plugin. What it cannot promise: a pod may be reached for the
 * moment between its start and the arrival of its address here. The cluster's DNS is no pod here, yet policies mean it
 * as one: its addresses count as those of a pod of kube-system with the label k8s-app=kube-dns, as it is everywhere.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import { EndpointSlices, Namespaces, NetworkPolicies, Pods } from '@dinghy/shared/api/resources'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { ApiClient } from '@dinghy/shared/client/api-client'
import type { Informer, Informers } from '@dinghy/shared/client/informer'
import { dnsPods } from '@dinghy/shared/api/network-policy'
import type { Health } from '@dinghy/shared/process/health'
import type { Logger } from '@dinghy/shared/process/logger'
import { runWorkers } from '@dinghy/shared/reconcile/controller'
import { WorkQueue } from '@dinghy/shared/reconcile/work-queue'
import { KernelTable } from '../nftables/kernel-table.ts'
import { policyRuleset } from './policy-ruleset.ts'

export const policyTable = 'dinghy-policy'

/** All is planned at once, so there is one key. */
const everything = 'network-policies'
const lookEveryMs = 10_000
/** Changes come in crowds: a Deployment's pods, say. */
const gatherMs = 20

export interface PolicyEnforcerDeps {
  client: ApiClient
  clock: Clock
  log: Logger
  health: Health
  informers: Informers
  node: { name: string }
  table?: Pick<KernelTable, 'write' | 'isWhole' | 'remove'>
}

export async function enforcePolicies(deps: PolicyEnforcerDeps, signal: AbortSignal): Promise<void> {
  const { client, clock, log, informers, node } = deps
  const table = deps.table ?? new KernelTable(policyTable)
  const queue = new WorkQueue({ clock })
  const policies = informers.for(NetworkPolicies)
  const slices = informers.for(EndpointSlices)
  const listen = <T extends KubernetesObject>(informer: Informer<T>): Informer<T> => {
    informer.onChange(({ revision }) => queue.addAfter(everything, gatherMs, revision))
    return informer
  }
  const needed = () => ({ pods: listen(informers.for(Pods)), namespaces: listen(informers.for(Namespaces)) })
  let world: ReturnType<typeof needed> | undefined
  /** Whether the kernel's table is there, or may be. */
  let isWritten = true

  listen(policies)
  deps.health.addCheck('network-policies', () => policies.hasSynced())
  const reconcile = async (): Promise<{ requeueAfterMs: number } | void> => {
    const all = policies.lister.list()
    if (all.length === 0) {
      if (isWritten) await table.remove()
      isWritten = false
      return
    }
    world ??= needed()
    await Promise.all([world.pods.synced(), world.namespaces.synced(), slices.synced()])
    const { pods, namespaces } = world
    const ruleset = policyRuleset({
      node: node.name,
      policies: all,
      pods: [...pods.lister.list(), ...dnsPods(slices.lister.list())],
      namespaceLabels: (namespace) => namespaces.lister.get(namespace)?.metadata.labels,
    })
    if (!ruleset) return
    if (!(await table.isWhole())) {
      log.warn({ table: policyTable }, 'somebody removed the table of NetworkPolicies, or a part of it: written again')
    }
    isWritten = true
    await table.write(ruleset)
    return { requeueAfterMs: lookEveryMs }
  }
  // Also without a policy: an earlier process may have left a table.
  queue.add(everything)
  await runWorkers(
    { name: `network-policy/${node.name}`, client, clock, log, workers: 1, reconcile },
    queue,
    policies.synced(),
    signal,
  )
}
