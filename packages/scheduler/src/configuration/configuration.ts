/**
 * KubeSchedulerConfiguration (kubescheduler.config.k8s.io/v1), the file behind `--config`: which profiles there are,
 * what their plugins are told, who else is asked. Pure: a document in, a Configuration out, or a ConfigurationError
 * that names the field.
 *
 * Callers may rely on: nothing that is written there is silently dropped. What this scheduler does not have (see
 * docs/limits.md) is refused, and so is what its flags say (leader election, the connection).
 */

import { readExtender, type ExtenderConfiguration } from './extenders.ts'
import { integer, list, object, refuse, text } from './fields.ts'
import type { PluginArgs } from '../plugins/default-plugins.ts'
import { readPluginConfig } from './plugin-args.ts'

export interface Configuration {
  firstBackoffMs: number
  longestBackoffMs: number
  profiles: ProfileConfiguration[]
  extenders: ExtenderConfiguration[]
}

export interface ProfileConfiguration {
  schedulerName: string
  /** By extension point. */
  plugins: Partial<Record<ExtensionPoint, PluginSet>>
  args: PluginArgs
}

export interface PluginSet {
  enabled: { name: string; weight?: number }[]
  /** '*' is all of them. */
  disabled: string[]
}

/** Those that this scheduler's plugins may have a part in; see profiles.ts. */
export const extensionPoints = [
  'multiPoint',
  'preEnqueue',
  'queueSort',
  'preFilter',
  'filter',
  'postFilter',
  'preScore',
  'score',
  'reserve',
  'permit',
  'preBind',
  'bind',
  'postBind',
] as const

export type ExtensionPoint = (typeof extensionPoints)[number]

export const defaultConfiguration: Configuration = {
  firstBackoffMs: 1_000,
  longestBackoffMs: 10_000,
  profiles: [{ schedulerName: 'default-scheduler', plugins: {}, args: {} }],
  extenders: [],
}

const apiVersion = 'kubescheduler.config.k8s.io/v1'

export function readConfiguration(document: unknown): Configuration {
  const fields = object(document, '', {
    known: ['podInitialBackoffSeconds', 'podMaxBackoffSeconds', 'profiles', 'extenders', 'apiVersion', 'kind'],
    refused: {
      leaderElection: 'the flag --leader-elect decides it',
      clientConnection: 'the flag --kubeconfig decides it',
      parallelism: 'nodes are looked at one after the other here',
      percentageOfNodesToScore: 'all nodes are looked at here',
      delayCacheUntilActive: 'caches fill while the lease is asked for',
      enableProfiling: 'there is nothing to profile with',
      enableContentionProfiling: 'there is nothing to profile with',
    },
  })
  if (fields['apiVersion'] !== apiVersion) refuse('apiVersion', `expected ${apiVersion}`)
  if (fields['kind'] !== 'KubeSchedulerConfiguration') refuse('kind', 'expected KubeSchedulerConfiguration')
  const firstSeconds = integer(fields['podInitialBackoffSeconds'] ?? 1, 'podInitialBackoffSeconds')
  const longestSeconds = integer(fields['podMaxBackoffSeconds'] ?? 10, 'podMaxBackoffSeconds')
  if (firstSeconds <= 0) refuse('podInitialBackoffSeconds', 'must be greater than 0')
  if (longestSeconds < firstSeconds) {
    refuse('podMaxBackoffSeconds', 'must be greater than or equal to podInitialBackoffSeconds')
  }
  const given = list(fields['profiles'], 'profiles')
  const profiles = given.map((one, index) => profile(one, `profiles[${index}]`, given.length))
  const names = profiles.map(({ schedulerName }) => schedulerName)
  const twice = names.findIndex((name, index) => names.indexOf(name) < index)
  if (twice >= 0) refuse(`profiles[${twice}].schedulerName`, `Duplicate value: "${names[twice]}"`)
  const extenders = list(fields['extenders'], 'extenders').map((one, index) => readExtender(one, `extenders[${index}]`))
  if (extenders.filter(({ bindVerb }) => bindVerb !== '').length > 1) {
    refuse('extenders', 'found more than one extender with a bindVerb; only one may bind')
  }
  return {
    firstBackoffMs: firstSeconds * 1_000,
    longestBackoffMs: longestSeconds * 1_000,
    profiles: profiles.length > 0 ? profiles : defaultConfiguration.profiles,
    extenders,
  }
}

function profile(value: unknown, path: string, howMany: number): ProfileConfiguration {
  const fields = object(value, path, {
    known: ['schedulerName', 'plugins', 'pluginConfig'],
    refused: { percentageOfNodesToScore: 'all nodes are looked at here' },
  })
  const named = fields['schedulerName']
  if (named === undefined && howMany > 1) refuse(`${path}.schedulerName`, 'Required value')
  const schedulerName = text(named ?? 'default-scheduler', `${path}.schedulerName`)
  if (schedulerName === '') refuse(`${path}.schedulerName`, 'Required value')
  const sets = object(fields['plugins'], `${path}.plugins`, { known: extensionPoints })
  const plugins = Object.entries(sets).map(([point, set]) => [point, pluginSet(set, `${path}.plugins.${point}`)])
  const args = list(fields['pluginConfig'], `${path}.pluginConfig`).map((one, index) =>
    readPluginConfig(one, `${path}.pluginConfig[${index}]`),
  )
  const names = args.map(([name]) => name)
  const twice = names.findIndex((name, index) => names.indexOf(name) < index)
  if (twice >= 0) refuse(`${path}.pluginConfig[${twice}].name`, `Duplicate value: "${names[twice]}"`)
  return {
    schedulerName,
    plugins: Object.fromEntries(plugins) as ProfileConfiguration['plugins'],
    args: Object.fromEntries(args),
  }
}

function pluginSet(value: unknown, path: string): PluginSet {
  const fields = object(value, path, { known: ['enabled', 'disabled'] })
  const plugin = (one: unknown, at: string): { name: string; weight?: number } => {
    const { name, weight } = object(one, at, { known: ['name', 'weight'] })
    const named = { name: text(name, `${at}.name`) }
    return weight === undefined ? named : { ...named, weight: integer(weight, `${at}.weight`, { least: 1 }) }
  }
  return {
    enabled: list(fields['enabled'], `${path}.enabled`).map((one, index) => plugin(one, `${path}.enabled[${index}]`)),
    disabled: list(fields['disabled'], `${path}.disabled`).map(
      (one, index) => plugin(one, `${path}.disabled[${index}]`).name,
    ),
  }
}
