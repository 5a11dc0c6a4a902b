/**
 * A service, from its merged and interpolated tree to the model: short forms written out, units parsed, wrong fields
 * refused in compose's words. Pure but for what `context` brings in.
 */

import { posix } from 'node:path'
import { ComposeError } from '../compose-error.ts'
import type { Dependency, DependencyCondition, Endpoint, FileReference, Healthcheck, Service } from '../model.ts'
import { engineFields } from './engine-fields.ts'
import { parseBuild } from './build.ts'
import { extraHosts } from './hosts.ts'
import { parseMounts } from './mounts.ts'
import { parsePort } from './ports.ts'
import {
  booleanOf,
  checkFields,
  isTree,
  listOf,
  mappingOf,
  numberOf,
  oneOrMore,
  optional,
  refuseFields,
  textMappingOf,
  textOf,
  textsOf,
  type Tree,
  treeOf,
  words,
} from './tree.ts'
import { parseBytes, parseDuration, splitCommand } from './units.ts'

export interface NormalizeContext {
  /** For variables that a service passes on by name only. */
  env: Record<string, string | undefined>
  /** Reads and parses an env_file or label_file; nothing when it is not there and not required. */
  readEnvFile(file: { path: string; required: boolean; format?: string }): Record<string, string>
}

/** Fields with a meaning of their own; those of engine-fields.ts come on top. */
const ownFields = words(`
  image build platform pull_policy command entrypoint environment env_file labels label_file ports expose networks
  network_mode mac_address links extra_hosts volumes volumes_from tmpfs depends_on healthcheck restart
  stop_grace_period secrets configs profiles container_name deploy scale mem_limit cpus pids_limit ipc pid logging
  attach
`)

/** Only `compose watch` reads it, which is not here. */
const ignored = ['develop']

/** Fields of the specification that are not supported; leaving them out silently would change what the container is. */
const refused = words(`
  blkio_config cpu_count cpu_percent cpu_rt_period cpu_rt_runtime credential_spec external_links gpus isolation
  models post_start pre_stop provider use_api_socket
`)

const knownFields = [...ownFields, ...ignored, ...refused, ...Object.keys(engineFields)]

export function normalizeService(name: string, value: unknown, context: NormalizeContext): Service {
  const tree = treeOf(value, `services.${name}`)
  checkFields(tree, knownFields, `services.${name}`)
  const at = (field: string) => `services.${name}.${field}`
  refuseFields(tree, refused, `services.${name}`)
  if (!tree['image'] && !tree['build']) {
    throw new ComposeError(
      `service "${name}" has neither an image nor a build context specified: invalid compose project`,
    )
  }
  const deploy = deployOf(tree['deploy'], at('deploy'))
  const service: Service = {
    name,
    environment: environmentOf(tree, context, at('environment')),
    ports: listOf(tree['ports'], at('ports')).flatMap((port) => parsePort(port, at('ports'))),
    expose: textsOf(tree['expose'], at('expose')),
    volumes: parseMounts(tree['volumes'], at('volumes')),
    volumes_from: textsOf(tree['volumes_from'], at('volumes_from')),
    networks: networksOf(tree, at('networks')),
    depends_on: dependenciesOf(tree, at),
    secrets: fileReferences(tree['secrets'], '/run/secrets/', at('secrets')),
    configs: fileReferences(tree['configs'], '/', at('configs')),
    profiles: textsOf(tree['profiles'], at('profiles')),
    labels: labelsOf(tree, context, at('labels')),
    tmpfs: oneOrMore(tree['tmpfs'], at('tmpfs')),
    replicas: numberOf(tree['scale'] ?? deploy['replicas'] ?? 1, at('deploy.replicas')),
    limits: limitsOf(tree, deploy, at),
    extra_hosts: extraHosts(tree['extra_hosts'], at('extra_hosts')),
    attach: booleanOf(tree['attach'] ?? true, at('attach')),
    settings: settingsOf(tree, deploy, at),
    ...optional('command', tree['command'], (command) => commandOf(command, at('command'))),
    ...optional('entrypoint', tree['entrypoint'], (command) => commandOf(command, at('entrypoint'))),
    ...optional('build', tree['build'], (build) => parseBuild(build, context.env, at('build'))),
    ...optional('healthcheck', tree['healthcheck'], (check) => parseHealthcheck(check, at('healthcheck'))),
    ...optional('stop_grace_period', tree['stop_grace_period'], (period) => parseDuration(period as string) / 1e9),
    ...optional('logging', tree['logging'], (logging) => parseLogging(logging, at('logging'))),
    ...optional('restart', tree['restart'] ?? restartOf(deploy), String),
    ...optional('pull_policy', tree['pull_policy'], (policy) => parsePullPolicy(policy, at('pull_policy'))),
  }
  for (const field of ['image', 'network_mode', 'container_name', 'ipc', 'pid', 'platform'] as const) {
    Object.assign(
      service,
      optional(field, tree[field], (text) => textOf(text, at(field))),
    )
  }
  if (service.container_name !== undefined && service.replicas > 1) {
    throw new ComposeError(`${at('deploy.replicas')}: can't set container_name and replicas: invalid compose project`)
  }
  return service
}

/** What is for a swarm alone, compose reads and leaves; so does this. */
const swarmFields = words('mode endpoint_mode labels placement rollback_config update_config')

function deployOf(value: unknown, at: string): Tree {
  const deploy = treeOf(value, at)
  checkFields(deploy, [...swarmFields, 'replicas', 'resources', 'restart_policy'], at)
  checkFields(
    treeOf(deploy['restart_policy'], at),
    words('condition delay max_attempts window'),
    `${at}.restart_policy`,
  )
  const resources = treeOf(deploy['resources'], `${at}.resources`)
  checkFields(resources, ['limits', 'reservations'], `${at}.resources`)
  checkFields(treeOf(resources['limits'], at), words('cpus memory pids'), `${at}.resources.limits`)
  const reservations = treeOf(resources['reservations'], `${at}.resources.reservations`)
  checkFields(reservations, words('cpus memory devices generic_resources'), `${at}.resources.reservations`)
  refuseFields(reservations, ['devices', 'generic_resources'], `${at}.resources.reservations`)
  return deploy
}

const endpointFields = words('aliases ipv4_address mac_address priority')
const refusedEndpointFields = words('driver_opts gw_priority interface_name ipv6_address link_local_ips')

function environmentOf(tree: Tree, context: NormalizeContext, at: string): Record<string, string> {
  const merged = filesOf(tree['env_file'], context, at)
  for (const [name, value] of Object.entries(mappingOf(tree['environment'], at))) {
    const resolved = value ?? context.env[name]
    if (resolved === undefined) delete merged[name]
    else merged[name] = resolved
  }
  return merged
}

function labelsOf(tree: Tree, context: NormalizeContext, at: string): Record<string, string> {
  return { ...filesOf(tree['label_file'], context, at), ...textMappingOf(tree['labels'], at) }
}

function filesOf(value: unknown, context: NormalizeContext, at: string): Record<string, string> {
  const files = typeof value === 'string' ? [value] : listOf(value, at)
  const read = files.map((file) => {
    const tree = isTree(file) ? file : { path: file }
    checkFields(tree, ['path', 'required', 'format'], at)
    const { path, required = true, format } = tree
    return context.readEnvFile({
      path: textOf(path, at),
      required: required !== false,
      ...optional('format', format, String),
    })
  })
  return Object.assign({}, ...read) as Record<string, string>
}

function networksOf(tree: Tree, at: string): Record<string, Endpoint> {
  if (tree['network_mode'] !== undefined) {
    if (tree['networks'] !== undefined)
      throw new ComposeError(`${at}: service declares mutually exclusive \`network_mode\` and \`networks\``)
    return {}
  }
  const value = tree['networks'] ?? ['default']
  const mapping = Array.isArray(value)
    ? Object.fromEntries(value.map((name) => [String(name), null]))
    : treeOf(value, at)
  const entries = Object.entries(mapping).map(([name, options]): [string, Endpoint] => {
    const endpoint = treeOf(options, `${at}.${name}`)
    checkFields(endpoint, [...endpointFields, ...refusedEndpointFields], `${at}.${name}`)
    refuseFields(endpoint, refusedEndpointFields, `${at}.${name}`)
    return [
      name,
      {
        aliases: textsOf(endpoint['aliases'], `${at}.${name}.aliases`),
        ...optional('ipv4_address', endpoint['ipv4_address'], String),
        ...optional('mac_address', endpoint['mac_address'] ?? tree['mac_address'], String),
        ...optional('priority', endpoint['priority'], (priority) => numberOf(priority, at)),
      },
    ]
  })
  return Object.fromEntries(entries.toSorted(([, a], [, b]) => (b.priority ?? 0) - (a.priority ?? 0)))
}

// A service also depends on those whose names, namespaces or volumes it uses. Of a namespace, and of a link, it has to
// be restarted together with its owner: what it had of the old container is gone.
function dependenciesOf(tree: Tree, at: (field: string) => string): Record<string, Dependency> {
  const links = textsOf(tree['links'], at('links')).map((link) => link.split(':')[0] ?? '')
  const shared = ['network_mode', 'ipc', 'pid'].map((field) => /^service:(.+)$/.exec(String(tree[field] ?? ''))?.[1])
  const sources = textsOf(tree['volumes_from'], at('volumes_from')).map((from) => from.split(':')[0])
  const implied = [
    ...sources.map((name) => ({ name, restart: false })),
    ...[...links, ...shared].map((name) => ({ name, restart: true })),
  ]
  const value = tree['depends_on']
  const mapping = Array.isArray(value)
    ? Object.fromEntries(value.map((name) => [String(name), {}]))
    : treeOf(value, at('depends_on'))
  const written = Object.entries(mapping).map(([name, options]) => [
    name,
    parseDependency(options, at(`depends_on.${name}`)),
  ])
  return {
    ...Object.fromEntries(
      implied.flatMap(({ name, restart }) =>
        name === undefined || name === 'container' ? [] : [[name, parseDependency({ restart }, '')]],
      ),
    ),
    ...(Object.fromEntries(written) as Record<string, Dependency>),
  }
}

const conditions = ['service_started', 'service_healthy', 'service_completed_successfully']

function parseDependency(value: unknown, at: string): Dependency {
  const tree = treeOf(value, at)
  checkFields(tree, ['condition', 'required', 'restart'], at)
  const { condition = 'service_started', required = true, restart = false } = tree
  if (!conditions.includes(String(condition)))
    throw new ComposeError(`${at}.condition: unknown condition "${String(condition)}"`)
  return {
    condition: condition as DependencyCondition,
    required: booleanOf(required, `${at}.required`),
    restart: booleanOf(restart, `${at}.restart`),
  }
}

function parseHealthcheck(value: unknown, at: string): Healthcheck {
  const tree = treeOf(value, at)
  checkFields(tree, ['disable', 'test', 'interval', 'timeout', 'retries', 'start_period', 'start_interval'], at)
  if (tree['disable'] !== undefined && booleanOf(tree['disable'], `${at}.disable`)) return { test: ['NONE'] }
  const { test } = tree
  const command = typeof test === 'string' ? ['CMD-SHELL', test] : textsOf(test, `${at}.test`)
  if (command.length > 0 && !['NONE', 'CMD', 'CMD-SHELL'].includes(command[0] ?? '')) {
    throw new ComposeError(`${at}.test: when a list, the first item must be either NONE, CMD or CMD-SHELL`)
  }
  const duration = (text: unknown) => parseDuration(text as string)
  return {
    test: command,
    ...optional('interval', tree['interval'], duration),
    ...optional('timeout', tree['timeout'], duration),
    ...optional('start_period', tree['start_period'], duration),
    ...optional('start_interval', tree['start_interval'], duration),
    ...optional('retries', tree['retries'], (retries) => numberOf(retries, `${at}.retries`)),
  }
}

function limitsOf(tree: Tree, deploy: Tree, at: (field: string) => string): Service['limits'] {
  const { limits } = treeOf(deploy['resources'], at('deploy.resources'))
  const { cpus, memory, pids } = treeOf(limits, at('deploy.resources.limits'))
  return {
    ...optional('cpus', cpus ?? tree['cpus'], (number) => numberOf(number, at('cpus'))),
    ...optional('memory', memory ?? tree['mem_limit'], (size) => parseBytes(size as string)),
    ...optional('pids', pids ?? tree['pids_limit'], (number) => numberOf(number, at('pids_limit'))),
  }
}

function settingsOf(tree: Tree, deploy: Tree, at: (field: string) => string): Record<string, unknown> {
  const reservations = treeOf(
    treeOf(deploy['resources'], at('deploy.resources'))['reservations'],
    at('deploy.resources'),
  )
  const given: Tree = { ...optional('mem_reservation', reservations['memory'], (size) => size), ...tree }
  return Object.fromEntries(
    Object.entries(engineFields)
      .filter(([field]) => given[field] !== undefined && given[field] !== null)
      .map(([field, { read }]) => [field, read(given[field], at(field))]),
  )
}

/** Of a secret or a configuration that a service is given. */
const referenceFields = ['source', 'target', 'uid', 'gid', 'mode']

function fileReferences(value: unknown, directory: string, at: string): FileReference[] {
  return listOf(value, at).map((item) => {
    const tree = isTree(item) ? item : ({ source: item } as Tree)
    checkFields(tree, referenceFields, at)
    const { source, target, uid, gid, mode } = tree
    return {
      source: textOf(source, at),
      target: posix.resolve(directory, textOf(target ?? source, at)),
      ...optional('uid', uid, String),
      ...optional('gid', gid, String),
      // "0440" is octal in any YAML; a number has been read as such already.
      ...optional('mode', mode, (bits) => (typeof bits === 'string' ? Number.parseInt(bits, 8) : numberOf(bits, at))),
    }
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

function parseLogging(value: unknown, at: string): NonNullable<Service['logging']> {
  const tree = treeOf(value, at)
  checkFields(tree, ['driver', 'options'], at)
  return {
    ...optional('driver', tree['driver'], String),
    ...optional('options', tree['options'], (options) => textMappingOf(options, `${at}.options`)),
  }
}

function parsePullPolicy(value: unknown, at: string): string {
  const policy = textOf(value, at)
  if (!['always', 'never', 'missing', 'if_not_present', 'build'].includes(policy))
    throw new ComposeError(`${at}: "${policy}" is not supported; use always, never, missing or build`)
  return policy === 'if_not_present' ? 'missing' : policy
}

function commandOf(value: unknown, at: string): string[] {
  return typeof value === 'string' ? splitCommand(value) : textsOf(value, at)
}
