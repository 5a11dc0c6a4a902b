/**
 * The arguments of plugins in a profile, in the words of kube-scheduler's file.
 */

import type { NodeAffinity, TopologySpreadConstraint } from '@dinghy/shared/api/types'
import type { PluginArgs } from '../plugins/default-plugins.ts'
import type { NodeResourcesFitArgs, ScoredResource, ShapePoint } from '../plugins/node-resources-fit.ts'
import { flag, integer, list, object, oneOf, refuse, text } from './fields.ts'

/** Reads one element of pluginConfig: a name and its arguments. */
export function readPluginConfig(value: unknown, path: string): [string, unknown] {
  const fields = object(value, path, { known: ['name', 'args'] })
  const name = text(fields['name'], `${path}.name`)
  const read = Object.hasOwn(argReaders, name) ? argReaders[name as keyof PluginArgs] : undefined
  if (read === undefined) {
    return refuse(`${path}.name`, `no arguments are known of "${name}"; of ${Object.keys(argReaders).join(', ')}`)
  }
  return [name, read(fields['args'], `${path}.args`)]
}

/** Arguments may say what they are. */
const typeMeta = ['apiVersion', 'kind']

const argReaders: { [Name in keyof PluginArgs]-?: (value: unknown, path: string) => PluginArgs[Name] } = {
  InterPodAffinity(value, path) {
    const known = ['hardPodAffinityWeight', 'ignorePreferredTermsOfExistingPods', ...typeMeta]
    const fields = object(value, path, { known })
    const weight = fields['hardPodAffinityWeight'] ?? 1
    return {
      hardPodAffinityWeight: integer(weight, `${path}.hardPodAffinityWeight`, { least: 0, most: 100 }),
      ignorePreferredTermsOfExistingPods: flag(
        fields['ignorePreferredTermsOfExistingPods'],
        `${path}.ignorePreferredTermsOfExistingPods`,
      ),
    }
  },
  NodeAffinity(value, path) {
    const { addedAffinity } = object(value, path, { known: ['addedAffinity', ...typeMeta] })
    if (addedAffinity === undefined) return {}
    object(addedAffinity, `${path}.addedAffinity`, {
      known: ['requiredDuringSchedulingIgnoredDuringExecution', 'preferredDuringSchedulingIgnoredDuringExecution'],
    })
    return { addedAffinity: addedAffinity as NodeAffinity }
  },
  NodeResourcesBalancedAllocation(value, path) {
    const { resources } = object(value, path, { known: ['resources', ...typeMeta] })
    return resources === undefined ? {} : { resources: scoredResources(resources, `${path}.resources`) }
  },
  NodeResourcesFit(value, path) {
    const known = ['ignoredResources', 'ignoredResourceGroups', 'scoringStrategy', ...typeMeta]
    const { ignoredResources, ignoredResourceGroups, scoringStrategy } = object(value, path, { known })
    const texts = (these: unknown, at: string) => list(these, at).map((one, index) => text(one, `${at}[${index}]`))
    return {
      ignoredResources: texts(ignoredResources, `${path}.ignoredResources`),
      ignoredResourceGroups: texts(ignoredResourceGroups, `${path}.ignoredResourceGroups`),
      ...strategy(scoringStrategy, `${path}.scoringStrategy`),
    }
  },
  PodTopologySpread(value, path) {
    const fields = object(value, path, { known: ['defaultConstraints', 'defaultingType', ...typeMeta] })
    const type = oneOf(fields['defaultingType'] ?? 'System', `${path}.defaultingType`, ['System', 'List'])
    const constraints = list(fields['defaultConstraints'], `${path}.defaultConstraints`)
    if (type === 'System' && constraints.length > 0) {
      refuse(`${path}.defaultingType`, 'when .defaultConstraints are specified, must be "List"')
    }
    const defaultConstraints = constraints.map((one, index) => constraint(one, `${path}.defaultConstraints[${index}]`))
    return type === 'System' ? {} : { defaultConstraints }
  },
  VolumeBinding(value, path) {
    const fields = object(value, path, {
      known: ['bindTimeoutSeconds', ...typeMeta],
      refused: { shape: 'volumes are not scored by their capacity' },
    })
    const seconds = integer(fields['bindTimeoutSeconds'] ?? 600, `${path}.bindTimeoutSeconds`, { least: 0 })
    return { bindTimeoutMs: seconds * 1_000 }
  },
}

function strategy(value: unknown, path: string): NodeResourcesFitArgs {
  const fields = object(value, path, { known: ['type', 'resources', 'requestedToCapacityRatio'] })
  const types = ['LeastAllocated', 'MostAllocated', 'RequestedToCapacityRatio'] as const
  const type = oneOf(fields['type'] ?? 'LeastAllocated', `${path}.type`, types)
  const { resources, requestedToCapacityRatio } = fields
  const shaped = `${path}.requestedToCapacityRatio`
  const { shape } = object(requestedToCapacityRatio, shaped, { known: ['shape'] })
  if (type === 'RequestedToCapacityRatio' && list(shape, `${shaped}.shape`).length === 0) {
    refuse(`${shaped}.shape`, 'Required value: at least one point must be specified')
  }
  return {
    strategy: type,
    ...(resources === undefined ? {} : { resources: scoredResources(resources, `${path}.resources`) }),
    shape: shapePoints(shape, `${shaped}.shape`),
  }
}

function shapePoints(value: unknown, path: string): ShapePoint[] {
  const points = list(value, path).map((one, index) => {
    const at = `${path}[${index}]`
    const { utilization, score } = object(one, at, { known: ['utilization', 'score'] })
    return {
      utilization: integer(utilization ?? 0, `${at}.utilization`, { least: 0, most: 100 }),
      score: integer(score ?? 0, `${at}.score`, { least: 0, most: 10 }),
    }
  })
  const unsorted = points.findIndex(
    (point, index) => index > 0 && point.utilization <= (points[index - 1]?.utilization ?? 0),
  )
  if (unsorted >= 0) {
    refuse(`${path}[${unsorted}].utilization`, 'utilization values must be sorted in increasing order')
  }
  return points
}

function scoredResources(value: unknown, path: string): ScoredResource[] {
  return list(value, path).map((one, index) => {
    const at = `${path}[${index}]`
    const { name, weight } = object(one, at, { known: ['name', 'weight'] })
    // Zero means what leaving it out means.
    return { name: text(name, `${at}.name`), weight: integer(weight || 1, `${at}.weight`, { least: 1, most: 100 }) }
  })
}

function constraint(value: unknown, path: string): TopologySpreadConstraint {
  const known = ['maxSkew', 'topologyKey', 'whenUnsatisfiable', 'minDomains', 'nodeAffinityPolicy', 'nodeTaintsPolicy']
  const selector = 'constraint must not define a selector, as they deduced for each pod'
  const fields = object(value, path, { known, refused: { labelSelector: selector, matchLabelKeys: selector } })
  integer(fields['maxSkew'], `${path}.maxSkew`, { least: 1 })
  if (text(fields['topologyKey'] ?? '', `${path}.topologyKey`) === '') refuse(`${path}.topologyKey`, 'Required value')
  oneOf(fields['whenUnsatisfiable'], `${path}.whenUnsatisfiable`, ['DoNotSchedule', 'ScheduleAnyway'])
  return fields as unknown as TopologySpreadConstraint
}
