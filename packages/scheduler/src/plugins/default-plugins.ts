/**
 * The plugins of the default scheduler, in the order in which they are asked: cheap and decisive ones first, because
 * the first that refuses a node is the one whose reason people see. Names, order and weights are kube-scheduler's.
 */

import type { NodeAffinity } from '@dinghy/shared/api/types'
import type { Plugin } from '../framework.ts'
import { imageLocality } from './image-locality.ts'
import { interPodAffinity, type InterPodAffinityArgs } from './inter-pod-affinity.ts'
import { nodeAffinity } from './node-affinity.ts'
import { nodeName } from './node-name.ts'
import { nodePorts } from './node-ports.ts'
import { nodeResourcesBalancedAllocation } from './node-resources-balanced-allocation.ts'
import { nodeResourcesFit, type NodeResourcesFitArgs, type ScoredResource } from './node-resources-fit.ts'
import { nodeUnschedulable } from './node-unschedulable.ts'
import { podTopologySpread, type PodTopologySpreadArgs } from './pod-topology-spread.ts'
import { taintToleration } from './taint-toleration.ts'
import { volumeBinding } from './volume-binding.ts'

/** What plugins can be told, by their names. */
export interface PluginArgs {
  InterPodAffinity?: InterPodAffinityArgs
  NodeAffinity?: { addedAffinity?: NodeAffinity }
  NodeResourcesBalancedAllocation?: { resources?: readonly ScoredResource[] }
  NodeResourcesFit?: NodeResourcesFitArgs
  PodTopologySpread?: PodTopologySpreadArgs
  VolumeBinding?: { bindTimeoutMs: number }
}

export function pluginsWith(args: PluginArgs): readonly Plugin[] {
  return [
    nodeUnschedulable,
    nodeName,
    taintToleration,
    nodeAffinity(args.NodeAffinity),
    nodePorts,
    nodeResourcesFit(args.NodeResourcesFit),
    volumeBinding,
    podTopologySpread(args.PodTopologySpread),
    interPodAffinity(args.InterPodAffinity),
    nodeResourcesBalancedAllocation(args.NodeResourcesBalancedAllocation),
    imageLocality,
  ]
}

export const defaultPlugins = pluginsWith({})
