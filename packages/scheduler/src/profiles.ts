/**
 * Profiles: which plugins place the pods of which scheduler name. Pure.
 *
 *   the default plugins ─► multiPoint: disabled go, enabled come or get another weight
 *                          └─► filter (with preFilter) and score (with preScore): the same again, each for its half
 *
 * A plugin here is one thing with two halves where upstream has many small ones, so the points in between have
 * nothing to choose from: what names them is refused, except for what would change nothing.
 */

import { badRequest } from '@dinghy/shared/api/errors'
import type { Pod } from '@dinghy/shared/api/types'
import {
  type Configuration,
  defaultConfiguration,
  type ExtensionPoint,
  extensionPoints,
  type PluginSet,
  type ProfileConfiguration,
} from './configuration/configuration.ts'
import { ConfigurationError } from './configuration/fields.ts'
import type { Plugin } from './framework.ts'
import { pluginsWith, type PluginArgs } from './plugins/default-plugins.ts'

export interface Profile {
  schedulerName: string
  plugins: readonly Plugin[]
  /** Whether its pods may take the place of less important ones. */
  preempts: boolean
  bindTimeoutMs: number | undefined
}

/** Pods say who should place them; those that name another scheduler are left to it. */
export class Profiles {
  readonly #byName: ReadonlyMap<string, Profile>

  /** Throws a ConfigurationError when a profile names what there is not. */
  constructor({ profiles, extenders }: Configuration = defaultConfiguration) {
    const ignored = extenders.flatMap(({ managedResources }) =>
      managedResources.filter(({ ignoredByScheduler }) => ignoredByScheduler).map(({ name }) => name),
    )
    const byName = profiles.map((one, index): [string, Profile] => [
      one.schedulerName,
      profileOf(one, ignored, `profiles[${index}]`),
    ])
    this.#byName = new Map(byName)
  }

  get names(): string[] {
    return [...this.#byName.keys()]
  }

  has(pod: Pod): boolean {
    return this.#byName.has(schedulerNameOf(pod))
  }

  /** Only for pods that it has. */
  of(pod: Pod): Profile {
    const name = schedulerNameOf(pod)
    const profile = this.#byName.get(name)
    if (profile === undefined) throw badRequest(`the pod is left to another scheduler, "${name}"`)
    return profile
  }
}

export function schedulerNameOf(pod: Pod): string {
  return pod.spec.schedulerName ?? 'default-scheduler'
}

/** Of which upstream has plugins that nothing stands for here: to disable them changes nothing. */
const absent = new Set(['NodeVolumeLimits', 'VolumeRestrictions', 'VolumeZone', 'DynamicResources'])
/** Upstream's names of what is no plugin here but the scheduler itself, and the only place where each may be named. */
const builtIn: Record<string, ExtensionPoint> = {
  SchedulingGates: 'preEnqueue',
  PrioritySort: 'queueSort',
  DefaultPreemption: 'postFilter',
  DefaultBinder: 'bind',
}

function profileOf(profile: ProfileConfiguration, ignored: readonly string[], path: string): Profile {
  const { schedulerName, plugins: sets, args } = profile
  const all = pluginsWith(withIgnored(args, ignored))
  const known = new Map(all.map((plugin) => [plugin.name, plugin]))
  for (const point of extensionPoints) checkNames(sets[point], point, known, `${path}.plugins.${point}`)
  const base: Enabled[] = all.map(({ name, weight }) => ({ name, weight }))
  const everywhere = changed(base, sets.multiPoint)
  const filters = changed(changed(everywhere, sets.preFilter), sets.filter)
  const scores = changed(changed(everywhere, sets.preScore), sets.score)
  const names = new Set([...filters, ...scores].map(({ name }) => name))
  const plugins = [...names].flatMap((name): Plugin[] => {
    const plugin = known.get(name)
    const score = scores.find((one) => one.name === name)
    if (plugin === undefined) return []
    const { preFilter, preScore, isHelpedBy } = plugin
    return [
      {
        name,
        ...(preFilter && filters.some((one) => one.name === name) ? { preFilter } : {}),
        ...(preScore && score ? { preScore } : {}),
        ...(score?.weight === undefined ? {} : { weight: score.weight }),
        ...(isHelpedBy ? { isHelpedBy } : {}),
      },
    ]
  })
  const preempts = changed(changed([{ name: preemption }], sets.multiPoint), sets.postFilter)
  return {
    schedulerName,
    plugins,
    preempts: preempts.some(({ name }) => name === preemption),
    bindTimeoutMs: args.VolumeBinding?.bindTimeoutMs,
  }
}

interface Enabled {
  name: string
  weight?: number | undefined
}

const preemption = 'DefaultPreemption'

/** What is enabled after this set: enabling wins over disabling, and a plugin that is there keeps its place. */
function changed(
  before: readonly Enabled[],
  { enabled, disabled }: PluginSet = { enabled: [], disabled: [] },
): Enabled[] {
  const kept = before.filter(({ name }) => !disabled.includes('*') && !disabled.includes(name))
  const overridden = kept.map((one) => ({ ...one, ...enabled.find(({ name }) => name === one.name) }))
  const added = enabled.filter(({ name }) => !kept.some((one) => one.name === name))
  // One that comes back has the weight that it had.
  return [...overridden, ...added.map((one) => ({ ...before.find(({ name }) => name === one.name), ...one }))]
}

function checkNames(
  set: PluginSet | undefined,
  point: ExtensionPoint,
  known: ReadonlyMap<string, Plugin>,
  path: string,
): void {
  const hasHalf = ['multiPoint', 'preFilter', 'filter', 'preScore', 'score'].includes(point)
  const isFixed = (name: string) => Object.hasOwn(builtIn, name) && name !== preemption
  for (const [index, { name }] of (set?.enabled ?? []).entries()) {
    const fits = Object.hasOwn(builtIn, name)
      ? [builtIn[name], 'multiPoint'].includes(point)
      : known.has(name) && hasHalf
    if (!fits) refuse(`${path}.enabled[${index}]`, name, 'there is no such plugin at this point')
  }
  for (const [index, name] of (set?.disabled ?? []).entries()) {
    const at = `${path}.disabled[${index}]`
    if (isFixed(name)) refuse(at, name, 'the scheduler cannot be without it')
    const fits = name === '*' || name === preemption || absent.has(name) || known.has(name)
    if (!fits) refuse(at, name, 'there is no such plugin')
    const matters = hasHalf || (point === 'postFilter' && ['*', preemption].includes(name))
    if (!matters && name !== '*' && known.has(name))
      refuse(at, name, 'it can only be disabled at multiPoint, filter or score')
    if (!matters && name === '*' && point !== 'postBind' && point !== 'permit') {
      refuse(at, name, 'it can only be disabled at multiPoint, filter, score or postFilter')
    }
  }
}

/** Resources of which an extender says that it alone counts them. */
function withIgnored(args: PluginArgs, ignored: readonly string[]): PluginArgs {
  const { NodeResourcesFit: fit = {} } = args
  const ignoredResources = [...(fit.ignoredResources ?? []), ...ignored]
  return { ...args, NodeResourcesFit: { ...fit, ignoredResources } }
}

function refuse(path: string, name: string, why: string): never {
  throw new ConfigurationError(`${path}: "${name}": ${why}`)
}
