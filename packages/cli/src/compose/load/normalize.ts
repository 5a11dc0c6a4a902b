// From a merged, interpolated tree to the model: short forms written out, units parsed, paths made absolute, wrong
// fields refused in compose's words. Pure but for what `context` brings in.

import { posix, resolve } from 'node:path'
import type {
  Build,
  DependencyCondition,
  FileReference,
  FileSource,
  Healthcheck,
  Mount,
  Network,
  Port,
  Service,
  Volume,
} from '../model.ts'
import { isTree, listToMapping } from './merge.ts'
import { parseBytes, parseDuration, splitCommand } from './units.ts'

export interface NormalizeContext {
  project: string
  directory: string
  /** For variables that a service passes on by name only. */
  env: Record<string, string | undefined>
  /** Reads and parses an env_file; undefined when it is not there and not required. */
  readEnvFile(path: string, required: boolean): Record<string, string> | undefined
}

export class ComposeError extends Error {}

type Tree = Record<string, unknown>

const buildFields = [
  'context',
  'dockerfile',
  'dockerfile_inline',
  'args',
  'target',
  'labels',
  'no_cache',
  'cache_from',
  'cache_to',
  'platforms',
  'pull',
  'network',
  'tags',
  'extra_hosts',
  'shm_size',
  'ssh',
  'secrets',
  'additional_contexts',
  'privileged',
  'isolation',
  'ulimits',
  'entitlements',
]

/** Fields of a service that take effect here. */
const honoured = [
  'image',
  'build',
  'command',
  'entrypoint',
  'environment',
  'env_file',
  'ports',
  'expose',
  'volumes',
  'networks',
  'network_mode',
  'depends_on',
  'healthcheck',
  'restart',
  'secrets',
  'configs',
  'profiles',
  'container_name',
  'hostname',
  'domainname',
  'labels',
  'user',
  'working_dir',
  'tmpfs',
  'stop_signal',
  'stop_grace_period',
  'deploy',
  'scale',
  'extends',
  'init',
  'privileged',
  'read_only',
  'stdin_open',
  'tty',
  'cap_add',
  'cap_drop',
  'dns',
  'extra_hosts',
  'security_opt',
  'sysctls',
  'logging',
  'pull_policy',
  'platform',
  'mem_limit',
  'cpus',
  'pids_limit',
  'shm_size',
  'ipc',
  'pid',
  'links',
  'runtime',
]

/** Fields that compose knows and that mean nothing for one machine, or only tune: accepted without effect. */
const ignored = [
  'annotations',
  'attach',
  'blkio_config',
  'cpu_count',
  'cpu_percent',
  'cpu_shares',
  'cpuset',
  'develop',
  'dns_opt',
  'dns_search',
  'mem_reservation',
  'mem_swappiness',
  'memswap_limit',
  'oom_kill_disable',
  'oom_score_adj',
  'post_start',
  'pre_stop',
  'storage_opt',
  'label_file',
  'uts',
  'isolation',
  'mac_address',
  'volumes_from_ro',
]

/** Fields whose silent loss would change what the container may do or see: refused. */
const refused = [
  'cgroup',
  'cgroup_parent',
  'cpu_period',
  'cpu_quota',
  'cpu_rt_period',
  'cpu_rt_runtime',
  'credential_spec',
  'device_cgroup_rules',
  'devices',
  'external_links',
  'gpus',
  'group_add',
  'models',
  'provider',
  'ulimits',
  'use_api_socket',
  'userns_mode',
  'volumes_from',
]

export function normalizeService(name: string, tree: Tree, context: NormalizeContext): Service {
  for (const field of Object.keys(tree)) {
    if (refused.includes(field)) throw new ComposeError(`services.${name}.${field} is not supported by this compose`)
    if (honoured.includes(field) || ignored.includes(field) || field.startsWith('x-')) continue
    throw new ComposeError(`validating services.${name}: additional properties '${field}' not allowed`)
  }
  if (!tree['image'] && !tree['build']) {
    throw new ComposeError(
      `service "${name}" has neither an image nor a build context specified: invalid compose project`,
    )
  }
  const at = (field: string) => `services.${name}.${field}`
  const deploy = treeOf(tree['deploy'], at('deploy'))
  const limits = treeOf(treeOf(deploy['resources'], at('deploy.resources'))['limits'], at('deploy.resources.limits'))
  const service: Service = {
    name,
    environment: environmentOf(tree, context, at('environment')),
    ports: listOf(tree['ports'], at('ports')).flatMap((port) => parsePort(port, at('ports'))),
    expose: listOf(tree['expose'], at('expose')).map(String),
    volumes: listOf(tree['volumes'], at('volumes')).map((mount) => parseMount(mount, context, at('volumes'))),
    networks: networksOf(tree, at('networks')),
    depends_on: { ...linksOf(tree, at('links')), ...dependenciesOf(tree['depends_on'], at('depends_on')) },
    secrets: fileReferences(tree['secrets'], '/run/secrets/', at('secrets')),
    configs: fileReferences(tree['configs'], '/', at('configs')),
    profiles: listOf(tree['profiles'], at('profiles')).map(String),
    labels: stringMapping(tree['labels'], at('labels')),
    tmpfs: stringOrList(tree['tmpfs'], at('tmpfs')),
    replicas: Number(tree['scale'] ?? deploy['replicas'] ?? 1),
    limits: {
      ...optional('cpus', limits['cpus'] ?? tree['cpus'], Number),
      ...optional('memory', limits['memory'] ?? tree['mem_limit'], (value) => parseBytes(value as string)),
      ...optional('pids', limits['pids'] ?? tree['pids_limit'], Number),
    },
    cap_add: listOf(tree['cap_add'], at('cap_add')).map(String),
    cap_drop: listOf(tree['cap_drop'], at('cap_drop')).map(String),
    dns: stringOrList(tree['dns'], at('dns')),
    extra_hosts: extraHosts(tree['extra_hosts'], at('extra_hosts')),
    security_opt: listOf(tree['security_opt'], at('security_opt')).map(String),
    sysctls: stringMapping(tree['sysctls'], at('sysctls')),
    ...optional('build', tree['build'], (value) => parseBuild(value, context, at('build'))),
    ...optional('healthcheck', tree['healthcheck'], (value) =>
      parseHealthcheck(treeOf(value, at('healthcheck')), at('healthcheck')),
    ),
    ...optional('stop_grace_period', tree['stop_grace_period'], (value) => parseDuration(value as string) / 1e9),
    ...optional('shm_size', tree['shm_size'], (value) => parseBytes(value as string)),
    ...optional('logging', tree['logging'], (value) => treeOf(value, at('logging')) as NonNullable<Service['logging']>),
    ...optional('restart', tree['restart'] ?? restartOf(deploy), String),
  }
  for (const field of ['command', 'entrypoint'] as const) {
    if (field in tree) service[field] = commandOf(tree[field], at(field))
  }
  for (const field of [
    'image',
    'network_mode',
    'container_name',
    'hostname',
    'domainname',
    'user',
    'runtime',
    'working_dir',
    'stop_signal',
    'pull_policy',
    'platform',
    'ipc',
    'pid',
  ] as const) {
    if (tree[field] !== undefined && tree[field] !== null) service[field] = String(tree[field])
  }
  for (const field of ['init', 'privileged', 'read_only', 'stdin_open', 'tty'] as const) {
    if (tree[field] !== undefined) service[field] = tree[field] === true || tree[field] === 'true'
  }
  return service
}

export function normalizeNetwork(key: string, value: unknown, project: string): Network {
  const tree = treeOf(value, `networks.${key}`)
  const external = isExternal(tree)
  return {
    name: String(tree['name'] ?? externalName(tree) ?? (external ? key : `${project}_${key}`)),
    external,
    labels: stringMapping(tree['labels'], `networks.${key}.labels`),
    ...optional('driver', tree['driver'], String),
    ...optional('internal', tree['internal'], Boolean),
    ...optional('ipam', tree['ipam'], (ipam) => ipam as NonNullable<Network['ipam']>),
  }
}

export function normalizeVolume(key: string, value: unknown, project: string): Volume {
  const tree = treeOf(value, `volumes.${key}`)
  const external = isExternal(tree)
  return {
    name: String(tree['name'] ?? externalName(tree) ?? (external ? key : `${project}_${key}`)),
    external,
    labels: stringMapping(tree['labels'], `volumes.${key}.labels`),
    ...optional('driver', tree['driver'], String),
    ...optional('driver_opts', tree['driver_opts'], (opts) => stringMapping(opts, `volumes.${key}.driver_opts`)),
  }
}

export function normalizeFileSource(kind: string, key: string, value: unknown, context: NormalizeContext): FileSource {
  const tree = treeOf(value, `${kind}.${key}`)
  return {
    name: String(tree['name'] ?? key),
    external: isExternal(tree),
    ...optional('file', tree['file'], (file) => resolve(context.directory, String(file))),
    ...optional('content', tree['content'], String),
    ...optional('environment', tree['environment'], String),
  }
}

function environmentOf(tree: Tree, context: NormalizeContext, at: string): Record<string, string> {
  const files = typeof tree['env_file'] === 'string' ? [tree['env_file']] : listOf(tree['env_file'], at)
  const fromFiles = files.map((file) => {
    const { path, required = true } = isTree(file) ? file : { path: file }
    return context.readEnvFile(resolve(context.directory, String(path)), required !== false) ?? {}
  })
  const own = Array.isArray(tree['environment']) ? listToMapping(tree['environment']) : treeOf(tree['environment'], at)
  const merged: Record<string, string> = Object.assign({}, ...fromFiles)
  for (const [name, value] of Object.entries(own)) {
    const resolved = value === null ? context.env[name] : scalar(value, `${at}.${name}`)
    if (resolved === undefined) delete merged[name]
    else merged[name] = resolved
  }
  return merged
}

/** `8080:80/udp`, `127.0.0.1:8000-8002:80-82`, `80`, or the long form; a range becomes one entry a port. */
export function parsePort(value: unknown, at: string): Port[] {
  if (isTree(value)) {
    const { target, published, host_ip, protocol = 'tcp' } = value
    return [
      {
        target: Number(target),
        protocol: String(protocol),
        ...optional('published', published, String),
        ...optional('host_ip', host_ip, String),
      },
    ]
  }
  const text = String(value)
  const match = /^(?:(?:(\[[^\]]+\]|[^:/]+):)?([\d-]*):)?(\d+(?:-\d+)?)(?:\/(tcp|udp|sctp))?$/.exec(text)
  if (!match) throw new ComposeError(`${at}: invalid port "${text}"`)
  const [, host, published = '', target = '', protocol = 'tcp'] = match
  const inner = portRange(target)
  const outer = published === '' ? [] : portRange(published)
  if (outer.length > 0 && inner.length > 1 && outer.length !== inner.length) {
    throw new ComposeError(`${at}: invalid ranges specified for container and host Ports: ${target} and ${published}`)
  }
  return inner.map((port, i) => {
    // One inner port with an outer range: the engine picks from the range.
    const hostPort = inner.length === 1 && outer.length > 1 ? published : outer[i]
    return {
      target: port,
      protocol,
      ...optional('published', hostPort, String),
      ...optional('host_ip', host, (address) => address.replaceAll(/[[\]]/g, '')),
    }
  })
}

function portRange(text: string): number[] {
  const [first = NaN, last = first] = text.split('-').map(Number)
  if (!(first <= last && last <= 65_535)) throw new ComposeError(`invalid port range "${text}"`)
  return Array.from({ length: last - first + 1 }, (_, i) => first + i)
}

function parseMount(value: unknown, context: NormalizeContext, at: string): Mount {
  if (isTree(value)) {
    const type = String(value['type'] ?? 'volume')
    if (type !== 'bind' && type !== 'volume' && type !== 'tmpfs')
      throw new ComposeError(`${at}: unsupported mount type "${type}"`)
    const source = value['source'] === undefined ? undefined : String(value['source'])
    return {
      type,
      target: String(value['target']),
      read_only: value['read_only'] === true,
      ...optional('source', source, (path) => (type === 'bind' ? hostPath(path, context) : path)),
    }
  }
  const parts = String(value).split(':')
  if (parts.length === 1) return { type: 'volume', target: parts[0] ?? '', read_only: false }
  const [source = '', target = '', mode = ''] = parts
  if (source === '') throw new ComposeError(`${at}: invalid spec: ${String(value)}: empty section between colons`)
  if (parts.length > 3 || target === '')
    throw new ComposeError(`${at}: invalid volume specification "${String(value)}"`)
  const read_only = mode.split(',').includes('ro')
  const isPath = /^[./~]/.test(source)
  return { type: isPath ? 'bind' : 'volume', source: isPath ? hostPath(source, context) : source, target, read_only }
}

function hostPath(path: string, { directory, env }: NormalizeContext): string {
  return resolve(directory, path.replace(/^~(?=\/|$)/, env['HOME'] ?? '~'))
}

function networksOf(tree: Tree, at: string): Service['networks'] {
  if (tree['network_mode'] !== undefined) return {}
  const value = tree['networks'] ?? ['default']
  const mapping = Array.isArray(value)
    ? Object.fromEntries(value.map((name) => [String(name), null]))
    : treeOf(value, at)
  return Object.fromEntries(
    Object.entries(mapping).map(([name, options]) => {
      const { aliases, ipv4_address } = treeOf(options, `${at}.${name}`)
      return [name, { aliases: listOf(aliases, at).map(String), ...optional('ipv4_address', ipv4_address, String) }]
    }),
  )
}

function dependenciesOf(value: unknown, at: string): Service['depends_on'] {
  const mapping = Array.isArray(value) ? Object.fromEntries(value.map((name) => [String(name), {}])) : treeOf(value, at)
  return Object.fromEntries(
    Object.entries(mapping).map(([name, options]) => {
      const { condition = 'service_started', required = true, restart = false } = treeOf(options, `${at}.${name}`)
      if (!conditions.includes(String(condition)))
        throw new ComposeError(`${at}.${name}.condition: unknown condition "${String(condition)}"`)
      return [
        name,
        { condition: condition as DependencyCondition, required: required !== false, restart: restart === true },
      ]
    }),
  )
}

const conditions = ['service_started', 'service_healthy', 'service_completed_successfully']

// `links: [db:database]` is an old way to say depends_on; the alias is a network alias of the target (spec.ts).
function linksOf(tree: Tree, at: string): Service['depends_on'] {
  const names = listOf(tree['links'], at).map((link) => String(link).split(':')[0] ?? '')
  return Object.fromEntries(
    names.map((name) => [name, { condition: 'service_started' as const, required: true, restart: false }]),
  )
}

function parseBuild(value: unknown, context: NormalizeContext, at: string): Build {
  const tree = typeof value === 'string' ? { context: value } : treeOf(value, at)
  for (const field of Object.keys(tree)) {
    if (!buildFields.includes(field) && !field.startsWith('x-'))
      throw new ComposeError(`validating ${at}: additional properties '${field}' not allowed`)
  }
  const args = Array.isArray(tree['args']) ? listToMapping(tree['args']) : treeOf(tree['args'], `${at}.args`)
  return {
    context: resolve(context.directory, String(tree['context'] ?? '.')),
    args: Object.fromEntries(
      Object.entries(args).map(([name, arg]) => [name, arg === null ? (context.env[name] ?? null) : scalar(arg, at)]),
    ),
    labels: stringMapping(tree['labels'], `${at}.labels`),
    ...optional('dockerfile', tree['dockerfile'], String),
    ...optional('dockerfile_inline', tree['dockerfile_inline'], String),
    ...optional('target', tree['target'], String),
    ...optional('no_cache', tree['no_cache'], Boolean),
  }
}

function parseHealthcheck(tree: Tree, at: string): Healthcheck {
  if (tree['disable'] === true) return { test: ['NONE'] }
  const { test } = tree
  const command = typeof test === 'string' ? ['CMD-SHELL', test] : listOf(test, `${at}.test`).map(String)
  if (command.length > 0 && !['NONE', 'CMD', 'CMD-SHELL'].includes(command[0] ?? '')) {
    throw new ComposeError(`${at}.test: when a list, the first item must be either NONE, CMD or CMD-SHELL`)
  }
  const duration = (value: unknown) => parseDuration(value as string)
  return {
    test: command,
    ...optional('interval', tree['interval'], duration),
    ...optional('timeout', tree['timeout'], duration),
    ...optional('start_period', tree['start_period'], duration),
    ...optional('start_interval', tree['start_interval'], duration),
    ...optional('retries', tree['retries'], Number),
  }
}

function fileReferences(value: unknown, directory: string, at: string): FileReference[] {
  return listOf(value, at).map((item) => {
    const { source, target } = isTree(item) ? item : { source: item, target: undefined }
    return { source: String(source), target: posix.resolve(directory, String(target ?? source)) }
  })
}

// deploy.restart_policy is swarm's way to say restart.
function restartOf(deploy: Tree): string | undefined {
  const { condition, max_attempts } = treeOf(deploy['restart_policy'], 'deploy.restart_policy')
  if (condition === 'none') return 'no'
  if (condition === 'on-failure')
    return max_attempts === undefined ? 'on-failure' : `on-failure:${String(max_attempts)}`
  return condition === 'any' ? 'unless-stopped' : undefined
}

function commandOf(value: unknown, at: string): string[] | null {
  if (value === null) return null
  return typeof value === 'string' ? splitCommand(value) : listOf(value, at).map((word) => scalar(word, at))
}

function extraHosts(value: unknown, at: string): string[] {
  if (Array.isArray(value)) return value.map((host) => String(host).replace('=', ':'))
  return Object.entries(treeOf(value, at)).map(([host, address]) => `${host}:${String(address)}`)
}

function stringMapping(value: unknown, at: string): Record<string, string> {
  const mapping = Array.isArray(value) ? listToMapping(value) : treeOf(value, at)
  return Object.fromEntries(Object.entries(mapping).map(([key, item]) => [key, item === null ? '' : scalar(item, at)]))
}

function stringOrList(value: unknown, at: string): string[] {
  return typeof value === 'string' ? [value] : listOf(value, at).map(String)
}

function scalar(value: unknown, at: string): string {
  if (typeof value === 'object') throw new ComposeError(`${at} must be a string, number, boolean or null`)
  return String(value)
}

function listOf(value: unknown, at: string): unknown[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw new ComposeError(`${at} must be a list`)
  return value
}

function treeOf(value: unknown, at: string): Tree {
  if (value === undefined || value === null) return {}
  if (!isTree(value)) throw new ComposeError(`${at} must be a mapping`)
  return value
}

const isExternal = (tree: Tree): boolean => isTree(tree['external']) || tree['external'] === true
const externalName = (tree: Tree): unknown => (isTree(tree['external']) ? tree['external']['name'] : undefined)

/** `{ [key]: convert(value) }`, or nothing when there is no value: an absent field stays absent. */
function optional<K extends string, V, R>(key: K, value: V, convert: (value: NonNullable<V>) => R): { [P in K]?: R } {
  return value === undefined || value === null ? {} : ({ [key]: convert(value) } as { [P in K]?: R })
}
