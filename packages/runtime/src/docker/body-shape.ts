/**
 * The types of what clients send, as data, and the check of a body against them. Go's decoder gives dockerd this for
 * free: a number where a text belongs is the client's mistake and a 400, wherever in the body it stands.
 *
 * As there, null is as good as missing (in a list it is the empty value: an empty text, an object without fields), a
 * field's name may be written in any case, and fields that are not listed pass.
 */
import { badParameter, DockerError } from '@dinghy/shared/docker/errors'

export type Shape =
  | 'string'
  | 'integer'
  | 'boolean'
  | { listOf: Shape }
  | { mapOf: Shape }
  | { fields: Record<string, Shape> }
  | { oneOf: Shape[] }
  | 'anything'

/**
 * The value with its fields under the names of the shape: Go's decoder takes `memory` for `Memory`, so clients may
 * write either. Throws a 400 that names the place of what does not fit, e.g. `HostConfig.Binds[0]`.
 */
export function checkShape(value: unknown, shape: Shape, at = ''): unknown {
  if (value === null || value === undefined || shape === 'anything') return value
  const refuse = (): never => {
    throw badParameter(`invalid JSON: ${at === '' ? 'the body' : at} must be ${describe(shape)}, not ${kindOf(value)}`)
  }
  if (typeof shape === 'string') {
    if (shape === 'integer' ? !isInteger(value) : typeof value !== shape) refuse()
    return value
  }
  if ('oneOf' in shape) {
    const one = shape.oneOf.find((candidate) => fits(value, candidate))
    return one === undefined ? refuse() : checkShape(value, one, at)
  }
  if ('listOf' in shape) {
    if (!Array.isArray(value)) return refuse()
    return value.map((item, index) => checkShape(item ?? emptyOf(shape.listOf), shape.listOf, `${at}[${index}]`))
  }
  if (typeof value !== 'object' || Array.isArray(value)) return refuse()
  const entries = Object.entries(value).flatMap(([key, item]): [string, unknown][] => {
    const name = 'mapOf' in shape ? key : fieldName(shape.fields, key)
    const place = at === '' ? name : `${at}.${name}`
    if ('mapOf' in shape) return [[name, checkShape(item ?? emptyOf(shape.mapOf), shape.mapOf, place)]]
    const wanted = Object.hasOwn(shape.fields, name) ? shape.fields[name] : undefined
    if (wanted === undefined) return [[name, item]]
    return item === null ? [] : [[name, checkShape(item, wanted, place)]]
  })
  return Object.fromEntries(entries)
}

/** The field that a key means: the one of exactly that name, else the one that differs only in case. */
function fieldName(fields: Record<string, Shape>, key: string): string {
  if (Object.hasOwn(fields, key)) return key
  const folded = key.toLowerCase()
  return Object.keys(fields).find((name) => name.toLowerCase() === folded) ?? key
}

/** What Go's decoder makes of a null in a list or a map. */
function emptyOf(shape: Shape): unknown {
  if (shape === 'string') return ''
  if (shape === 'integer') return 0
  if (shape === 'boolean') return false
  return typeof shape === 'object' && 'fields' in shape ? {} : null
}

/** Those of dockerd have 64 bits. */
function isInteger(value: unknown): boolean {
  return Number.isInteger(value) && Math.abs(value as number) <= 2 ** 63
}

const maxDepth = 1000

/**
 * Throws a 400 for a NUL byte anywhere, which no path, name or argument can hold, and for a body that is nested so
 * deeply that it could not be written again.
 */
export function checkPlain(body: unknown): void {
  const pending = [{ value: body, depth: 0 }]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { value, depth } = next
    if (typeof value === 'string') checkText(value)
    if (typeof value !== 'object' || value === null) continue
    if (depth > maxDepth) throw badParameter('invalid JSON: exceeded max depth')
    for (const [key, item] of Object.entries(value)) {
      checkText(key)
      pending.push({ value: item, depth: depth + 1 })
    }
  }
}

function checkText(text: string): void {
  if (text.includes('\0')) throw badParameter(`invalid JSON: ${JSON.stringify(text)} holds a NUL byte`)
}

function fits(value: unknown, shape: Shape): boolean {
  try {
    checkShape(value, shape)
    return true
  } catch (error) {
    if (error instanceof DockerError) return false
    throw error
  }
}

function describe(shape: Shape): string {
  if (shape === 'integer') return 'an integer'
  if (typeof shape === 'string') return `a ${shape}`
  if ('oneOf' in shape) return shape.oneOf.map(describe).join(' or ')
  return 'listOf' in shape ? 'a list' : 'an object'
}

function kindOf(value: unknown): string {
  return Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

/** All these names have the same shape. */
function all(shape: Shape, names: string): Record<string, Shape> {
  return Object.fromEntries(names.split(' ').map((name) => [name, shape]))
}

const strings: Shape = { listOf: 'string' }
const stringMap: Shape = { mapOf: 'string' }
const command: Shape = { oneOf: ['string', strings] }
const set: Shape = { mapOf: { fields: {} } }

const healthcheck: Shape = {
  fields: { Test: strings, ...all('integer', 'Interval Timeout StartPeriod StartInterval Retries') },
}

const endpoint: Shape = {
  fields: {
    IPAMConfig: { fields: { ...all('string', 'IPv4Address IPv6Address'), LinkLocalIPs: strings } },
    ...all(strings, 'Links Aliases'),
    DriverOpts: stringMap,
    GwPriority: 'integer',
    ...all('string', 'MacAddress NetworkID EndpointID'),
  },
}

const mount: Shape = {
  fields: {
    ...all('string', 'Type Source Target Consistency'),
    ReadOnly: 'boolean',
    BindOptions: {
      fields: {
        Propagation: 'string',
        ...all('boolean', 'CreateMountpoint NonRecursive ReadOnlyNonRecursive ReadOnlyForceRecursive'),
      },
    },
    VolumeOptions: {
      fields: {
        NoCopy: 'boolean',
        Labels: stringMap,
        Subpath: 'string',
        DriverConfig: { fields: { Name: 'string', Options: stringMap } },
      },
    },
    TmpfsOptions: { fields: { ...all('integer', 'SizeBytes Mode'), Options: { listOf: strings } } },
    ImageOptions: { fields: { Subpath: 'string' } },
  },
}

export const ulimitShape: Shape = { fields: { Name: 'string', ...all('integer', 'Soft Hard') } }

export const hostConfigShape: Shape = {
  fields: {
    ...all(strings, 'Binds VolumesFrom CapAdd CapDrop Dns DnsOptions DnsSearch ExtraHosts GroupAdd Links SecurityOpt'),
    ...all(strings, 'DeviceCgroupRules MaskedPaths ReadonlyPaths'),
    ...all(
      'string',
      'NetworkMode VolumeDriver CgroupnsMode IpcMode Cgroup PidMode UTSMode UsernsMode Runtime Isolation',
    ),
    ...all('string', 'CgroupParent CpusetCpus CpusetMems ContainerIDFile'),
    ...all('boolean', 'PublishAllPorts AutoRemove Privileged ReadonlyRootfs Init OomKillDisable'),
    ...all('integer', 'OomScoreAdj ShmSize CpuShares Memory NanoCpus CpuPeriod CpuQuota CpuRealtimePeriod'),
    ...all('integer', 'CpuRealtimeRuntime MemoryReservation MemorySwap MemorySwappiness PidsLimit BlkioWeight'),
    ...all(stringMap, 'StorageOpt Tmpfs Sysctls Annotations'),
    ConsoleSize: { listOf: 'integer' },
    LogConfig: { fields: { Type: 'string', Config: stringMap } },
    RestartPolicy: { fields: { Name: 'string', MaximumRetryCount: 'integer' } },
    PortBindings: { mapOf: { listOf: { fields: all('string', 'HostIp HostPort') } } },
    Devices: { listOf: { fields: all('string', 'PathOnHost PathInContainer CgroupPermissions') } },
    DeviceRequests: { listOf: { fields: { Driver: 'string', Capabilities: { listOf: strings } } } },
    // Listed for their names: what would be refused is refused however it is written.
    ...all('anything', 'BlkioWeightDevice BlkioDeviceReadBps BlkioDeviceWriteBps BlkioDeviceReadIOps'),
    ...all('anything', 'BlkioDeviceWriteIOps KernelMemory KernelMemoryTCP CpuCount CpuPercent'),
    Ulimits: { listOf: ulimitShape },
    Mounts: { listOf: mount },
  },
}

const runConfig: Record<string, Shape> = {
  ...all('string', 'Hostname Domainname User Image WorkingDir StopSignal MacAddress'),
  ...all('boolean', 'AttachStdin AttachStdout AttachStderr Tty OpenStdin StdinOnce ArgsEscaped NetworkDisabled'),
  ...all(strings, 'Env OnBuild Shell'),
  ...all(command, 'Cmd Entrypoint'),
  ...all(set, 'ExposedPorts Volumes'),
  Labels: stringMap,
  StopTimeout: 'integer',
  Healthcheck: healthcheck,
}

export const runConfigShape: Shape = { fields: runConfig }

export const createShape: Shape = {
  fields: {
    ...runConfig,
    HostConfig: hostConfigShape,
    NetworkingConfig: { fields: { EndpointsConfig: { mapOf: endpoint } } },
  },
}

export const execShape: Shape = {
  fields: {
    ...all('string', 'User WorkingDir DetachKeys'),
    ...all('boolean', 'AttachStdin AttachStdout AttachStderr Tty Privileged Detach'),
    Env: strings,
    Cmd: command,
    ConsoleSize: { listOf: 'integer' },
  },
}

export const networkShape: Shape = {
  fields: {
    ...all('string', 'Name Driver Scope'),
    ...all('boolean', 'CheckDuplicate Internal Attachable Ingress ConfigOnly EnableIPv4 EnableIPv6'),
    ...all(stringMap, 'Options Labels'),
    ConfigFrom: { fields: { Network: 'string' } },
    IPAM: {
      fields: {
        Driver: 'string',
        Options: stringMap,
        Config: { listOf: { fields: { ...all('string', 'Subnet IPRange Gateway'), AuxiliaryAddresses: stringMap } } },
      },
    },
  },
}

export const connectShape: Shape = { fields: { Container: 'string', Force: 'boolean', EndpointConfig: endpoint } }

export const volumeShape: Shape = {
  fields: {
    ...all('string', 'Name Driver'),
    ...all(stringMap, 'DriverOpts Labels'),
    ClusterVolumeSpec: { fields: {} },
  },
}

export const authShape: Shape = {
  fields: all('string', 'username password email serveraddress identitytoken registrytoken auth'),
}
