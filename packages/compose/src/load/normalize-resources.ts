/**
 * Networks, volumes, secrets and configs: from their trees to the model. Pure.
 */

import type { FileSource, Network, Volume } from '../model.ts'
import {
  booleanOf,
  checkFields,
  isTree,
  listOf,
  optional,
  refuseFields,
  textMappingOf,
  textOf,
  type Tree,
  treeOf,
  words,
} from './tree.ts'

const networkFields = words('name external driver driver_opts internal attachable enable_ipv4 enable_ipv6 labels ipam')
const volumeFields = words('name external driver driver_opts labels')
const fileFields = words('name external file content environment labels driver driver_opts template_driver')

export function normalizeNetwork(key: string, value: unknown, project: string): Network {
  const at = `networks.${key}`
  const tree = treeOf(value, at)
  checkFields(tree, networkFields, at)
  const flags = ['internal', 'attachable', 'enable_ipv6'].map((field) =>
    optional(field, tree[field], (flag) => booleanOf(flag, `${at}.${field}`)),
  )
  return {
    ...named(key, tree, project),
    labels: textMappingOf(tree['labels'], `${at}.labels`),
    ...optional('driver', tree['driver'], String),
    ...optional('driver_opts', tree['driver_opts'], (opts) => textMappingOf(opts, `${at}.driver_opts`)),
    ...optional('ipam', tree['ipam'], (ipam) => parseIpam(treeOf(ipam, `${at}.ipam`), `${at}.ipam`)),
    ...Object.assign({}, ...flags),
  }
}

function parseIpam(tree: Tree, at: string): NonNullable<Network['ipam']> {
  checkFields(tree, ['driver', 'config', 'options'], at)
  refuseFields(tree, ['options'], at)
  const config = listOf(tree['config'], `${at}.config`).map((item) => {
    const pool = treeOf(item, `${at}.config`)
    checkFields(pool, words('subnet gateway ip_range aux_addresses'), `${at}.config`)
    refuseFields(pool, ['aux_addresses'], `${at}.config`)
    const { subnet, gateway, ip_range } = pool
    return {
      ...optional('subnet', subnet, String),
      ...optional('gateway', gateway, String),
      ...optional('ip_range', ip_range, String),
    }
  })
  return { ...optional('driver', tree['driver'], String), config }
}

export function normalizeVolume(key: string, value: unknown, project: string): Volume {
  const at = `volumes.${key}`
  const tree = treeOf(value, at)
  checkFields(tree, volumeFields, at)
  return {
    ...named(key, tree, project),
    labels: textMappingOf(tree['labels'], `${at}.labels`),
    ...optional('driver', tree['driver'], String),
    ...optional('driver_opts', tree['driver_opts'], (opts) => textMappingOf(opts, `${at}.driver_opts`)),
  }
}

/** `env` is where `environment:` finds its variable; what it finds becomes the content. */
export function normalizeFileSource(
  kind: 'secrets' | 'configs',
  key: string,
  value: unknown,
  env: Record<string, string | undefined>,
): FileSource {
  const at = `${kind}.${key}`
  const tree = treeOf(value, at)
  checkFields(tree, fileFields, at)
  const variable = tree['environment'] === undefined ? undefined : textOf(tree['environment'], at)
  return {
    name: String(tree['name'] ?? key),
    external: isExternal(tree),
    ...optional('file', tree['file'], String),
    ...optional('content', tree['content'] ?? (variable === undefined ? undefined : env[variable]), String),
    ...optional('environment', variable, String),
  }
}

function named(key: string, tree: Tree, project: string): { name: string; external: boolean } {
  const external = isExternal(tree)
  // An old form: `external: { name: x }`.
  const inner = isTree(tree['external']) ? tree['external']['name'] : undefined
  return { name: String(tree['name'] ?? inner ?? (external ? key : `${project}_${key}`)), external }
}

function isExternal(tree: Tree): boolean {
  return isTree(tree['external']) || (tree['external'] !== undefined && booleanOf(tree['external'], 'external'))
}
