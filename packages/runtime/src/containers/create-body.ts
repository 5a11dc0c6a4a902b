/**
 * The body of POST /containers/create: checked, and completed from the image. Pure.
 */
import { badParameter } from '@dinghy/shared/docker/errors'
import { podUidLabel } from '@dinghy/shared/docker/labels'
import { maskedPaths, readonlyPaths } from '../drivers/linux/launch.ts'
import { signalNumber } from '../drivers/exit-code.ts'
import { defaultPath } from '../drivers/executable.ts'
import type { Healthcheck, RunConfig } from '@dinghy/images/content/oci'
import { parsePort, publishRequests } from '../networks/ports.ts'
import { checkLogAttributes } from './log-attributes.ts'
import type { ContainerConfig, Endpoint, HostConfig } from './record.ts'
import { checkRestartPolicy } from './restart-policy.ts'
import { checkSysctls } from './sysctls.ts'

export interface CreateBody extends Partial<Omit<ContainerConfig, 'Entrypoint' | 'Cmd'>> {
  /** Old clients send a plain string. */
  Entrypoint?: string[] | string | null
  Cmd?: string[] | string | null
  HostConfig?: Partial<HostConfig>
  NetworkDisabled?: boolean
  NetworkingConfig?: { EndpointsConfig?: Record<string, Partial<Endpoint> | null> | null } | null
}

const minMemoryBytes = 6 * 1024 * 1024
const defaultShmBytes = 64 * 1024 * 1024

/** `Config` with everything decided. `id` gives the default host name. */
export function completeConfig(body: CreateBody, image: RunConfig, id: string): ContainerConfig {
  const entrypoint = asList(body.Entrypoint)
  const cmd = asList(body.Cmd)
  // A new entrypoint makes the image's arguments meaningless; [""] is the CLI's way to say "none at all", and a client
  // of the API may say [], which keeps the arguments.
  const ownEntrypoint = entrypoint !== null && entrypoint.length > 0
  const config: ContainerConfig = {
    Hostname: body.Hostname || id.slice(0, 12),
    Domainname: body.Domainname ?? '',
    User: body.User || (image.User ?? ''),
    AttachStdin: body.AttachStdin ?? false,
    AttachStdout: body.AttachStdout ?? false,
    AttachStderr: body.AttachStderr ?? false,
    Tty: body.Tty ?? false,
    OpenStdin: body.OpenStdin ?? false,
    StdinOnce: body.StdinOnce ?? false,
    Env: mergeEnv(image.Env ?? [], body.Env ?? []),
    Cmd: cmd !== null && cmd.length > 0 ? cmd : ownEntrypoint ? null : (image.Cmd ?? null),
    Image: body.Image ?? '',
    Volumes: { ...image.Volumes, ...body.Volumes },
    WorkingDir: body.WorkingDir || image.WorkingDir || '',
    Entrypoint:
      ownEntrypoint && entrypoint.join('') !== '' ? entrypoint : entrypoint ? null : (image.Entrypoint ?? null),
    Labels: { ...image.Labels, ...body.Labels },
    ExposedPorts: { ...image.ExposedPorts, ...body.ExposedPorts },
  }
  const optional = {
    StopSignal: body.StopSignal || image.StopSignal,
    StopTimeout: body.StopTimeout ?? image.StopTimeout,
    Healthcheck: mergeHealthcheck(image.Healthcheck, body.Healthcheck),
    OnBuild: image.OnBuild ?? undefined,
    Shell: body.Shell ?? image.Shell,
    MacAddress: body.MacAddress || undefined,
  }
  for (const [key, value] of Object.entries(optional)) if (value !== undefined) Object.assign(config, { [key]: value })
  for (const entry of body.Env ?? []) {
    if (entry.startsWith('=') || entry === '') throw badParameter(`invalid environment variable: ${entry}`)
  }
  checkConfig(config)
  return config
}

/** The program and its arguments. */
export function commandOf(config: Pick<ContainerConfig, 'Entrypoint' | 'Cmd'>): string[] {
  return [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])]
}

function checkConfig(config: ContainerConfig): void {
  if (commandOf(config).length === 0) throw badParameter('no command specified')
  if (config.WorkingDir !== '' && !config.WorkingDir.startsWith('/')) {
    throw badParameter(`the working directory '${config.WorkingDir}' is invalid, it needs to be an absolute path`)
  }
  if (config.StopSignal !== undefined && signalNumber(config.StopSignal) === undefined) {
    throw badParameter(`Invalid signal: ${config.StopSignal}`)
  }
  for (const port of Object.keys(config.ExposedPorts ?? {})) parsePort(port)
  checkMac(config.MacAddress ?? '')
  checkHealthcheck(config.Healthcheck ?? {})
}

/** Empty is none. */
export function checkMac(mac: string): void {
  if (mac !== '' && !/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac)) throw badParameter(`invalid MAC address: ${mac}`)
}

const minHealthNs = 1_000_000

/** Zero means the default. */
function checkHealthcheck(healthcheck: Healthcheck): void {
  for (const name of ['Interval', 'Timeout', 'StartPeriod', 'StartInterval'] as const) {
    const value = healthcheck[name] ?? 0
    if (value !== 0 && value < minHealthNs) throw badParameter(`${name} in Healthcheck cannot be less than 1ms`)
  }
  if ((healthcheck.Retries ?? 0) < 0) throw badParameter('Retries in Healthcheck cannot be negative')
}

/**
 * Values of the second replace those of the first, in the first's order; an image without PATH gets Docker's. "NAME"
 * without a value stays, and takes the variable away when a program starts (`environmentOf`).
 */
export function mergeEnv(image: string[], own: string[]): string[] {
  const merged = new Map([...image, ...own].map((entry) => [entry.split('=', 1)[0] ?? '', entry]))
  return merged.has('PATH') ? [...merged.values()] : [`PATH=${defaultPath}`, ...merged.values()]
}

function mergeHealthcheck(
  image: RunConfig['Healthcheck'],
  own: RunConfig['Healthcheck'],
): RunConfig['Healthcheck'] | undefined {
  if (own === undefined || own === null) return image
  if (image === undefined || own.Test?.[0] === 'NONE') return own
  const given = Object.entries(own).filter(([, value]) => (Array.isArray(value) ? value.length > 0 : Boolean(value)))
  return { ...image, ...Object.fromEntries(given) }
}

function asList(value: string[] | string | null | undefined): string[] | null {
  if (value === null || value === undefined) return null
  return typeof value === 'string' ? [value] : value
}

export function completeHostConfig(body: Partial<HostConfig> = {}, labels: Record<string, string> = {}): HostConfig {
  const hostConfig: HostConfig = {
    ...body,
    Binds: body.Binds ?? null,
    LogConfig: {
      Type: body.LogConfig?.Type || 'json-file',
      Config: body.LogConfig?.Config ?? {},
    },
    NetworkMode:
      body.NetworkMode === undefined || body.NetworkMode === '' || body.NetworkMode === 'default'
        ? 'bridge'
        : body.NetworkMode,
    PortBindings: body.PortBindings ?? {},
    PublishAllPorts: body.PublishAllPorts ?? false,
    RestartPolicy: checkRestartPolicy(body.RestartPolicy, body.AutoRemove ?? false),
    AutoRemove: body.AutoRemove ?? false,
    CapAdd: body.CapAdd ?? null,
    CapDrop: body.CapDrop ?? null,
    Privileged: body.Privileged ?? false,
    ReadonlyRootfs: body.ReadonlyRootfs ?? false,
    SecurityOpt: body.SecurityOpt ?? null,
    GroupAdd: body.GroupAdd ?? null,
    Dns: body.Dns ?? null,
    DnsSearch: body.DnsSearch ?? null,
    DnsOptions: body.DnsOptions ?? null,
    ExtraHosts: body.ExtraHosts ?? null,
    Links: body.Links ?? null,
    PidMode: body.PidMode ?? '',
    IpcMode: body.IpcMode || 'private',
    UTSMode: body.UTSMode ?? '',
    ShmSize: body.ShmSize || defaultShmBytes,
    Ulimits: body.Ulimits ?? null,
    Devices: body.Devices ?? null,
    OomScoreAdj: body.OomScoreAdj ?? 0,
    Memory: body.Memory ?? 0,
    MemorySwap: body.MemorySwap ?? 0,
    MemoryReservation: body.MemoryReservation ?? 0,
    NanoCpus: body.NanoCpus ?? 0,
    CpuShares: body.CpuShares ?? 0,
    CpuQuota: body.CpuQuota ?? 0,
    CpuPeriod: body.CpuPeriod ?? 0,
    CpusetCpus: body.CpusetCpus ?? '',
    // No limit may be said as 0 or -1, too; Docker shows it as null.
    PidsLimit: (body.PidsLimit ?? 0) > 0 ? (body.PidsLimit ?? null) : null,
    ...shownDefaults(body),
  }
  checkHostConfig(hostConfig, labels)
  return hostConfig
}

/** What nothing here depends on, as Docker shows it. */
function shownDefaults(body: Partial<HostConfig>): Partial<HostConfig> {
  const isPrivileged = body.Privileged ?? false
  return {
    Runtime: body['Runtime'] || 'runc',
    CgroupnsMode: body['CgroupnsMode'] || 'private',
    // The CLI sends -1 unless told otherwise.
    MemorySwappiness: body['MemorySwappiness'] === -1 ? null : (body['MemorySwappiness'] ?? null),
    OomKillDisable: body['OomKillDisable'] ?? null,
    MaskedPaths: body.MaskedPaths ?? (isPrivileged ? null : maskedPaths),
    ReadonlyPaths: body.ReadonlyPaths ?? (isPrivileged ? null : readonlyPaths),
  }
}

/** `labels` are the container's: the kubelet asks the CRI for any limit, dockerd's least one is for `docker run`. */
export function checkHostConfig(hostConfig: HostConfig, labels: Record<string, string> = {}): void {
  const { Memory, MemorySwap, NanoCpus, LogConfig, PortBindings, NetworkMode } = hostConfig
  const isOfPod = Object.hasOwn(labels, podUidLabel)
  if (Memory !== 0 && Memory < minMemoryBytes && !isOfPod) throw badParameter('Minimum memory limit allowed is 6MB')
  if (MemorySwap > 0 && Memory > 0 && MemorySwap < Memory) {
    throw badParameter('Minimum memoryswap limit should be larger than memory limit, see usage')
  }
  if (MemorySwap !== 0 && Memory === 0 && MemorySwap > 0) {
    throw badParameter('You should always set the Memory limit when using Memoryswap limit, see usage')
  }
  if (NanoCpus > 0 && (hostConfig.CpuQuota > 0 || hostConfig.CpuPeriod > 0)) {
    throw badParameter('Conflicting options: Nano CPUs and CPU Period cannot both be set')
  }
  if (!['json-file', 'local', 'none'].includes(LogConfig.Type)) {
    throw badParameter(`logger: no log driver named '${LogConfig.Type}' is registered`)
  }
  checkLogOptions(LogConfig)
  checkNumbers(hostConfig)
  checkSysctls(hostConfig.Sysctls ?? {}, hostConfig)
  publishRequests(PortBindings, [], false)
  for (const host of hostConfig.ExtraHosts ?? [])
    if (!/^[^:=\s]+[:=]\S+$/.test(host)) throw badParameter(`bad format for add-host: ${JSON.stringify(host)}`)
  for (const { PathOnHost } of hostConfig.Devices ?? [])
    if (!PathOnHost) throw badParameter('error gathering device information: PathOnHost must not be empty')
  checkNamespaces(hostConfig)
  if (NetworkMode.startsWith('container:') && NetworkMode.length === 'container:'.length) {
    throw badParameter('Invalid network mode: invalid container format container:<name|id>')
  }
}

function checkNamespaces({ IpcMode, PidMode, UTSMode }: HostConfig): void {
  const isContainer = (mode: string) => /^container:./.test(mode)
  if (!['private', 'shareable', 'none', 'host'].includes(IpcMode) && !isContainer(IpcMode))
    throw badParameter(`invalid IPC mode: ${IpcMode}`)
  if (!['', 'host', 'private'].includes(PidMode) && !isContainer(PidMode))
    throw badParameter(`invalid PID mode: ${PidMode}`)
  if (!['', 'host', 'private'].includes(UTSMode)) throw badParameter(`invalid UTS mode: ${UTSMode}`)
}

function checkLogOptions({ Type, Config }: HostConfig['LogConfig']): void {
  if (Type === 'none') return
  const known = Type === 'local' ? fileOptions : [...fileOptions, ...attributeOptions]
  const unknown = Object.keys(Config).find((name) => !known.includes(name))
  if (unknown !== undefined) throw badParameter(`unknown log opt '${unknown}' for ${Type} log driver`)
  const { 'max-size': size = '-1', 'max-file': files = '1', compress = 'false' } = Config
  if (!/^(-1|\d+[kmg]?b?)$/i.test(size)) throw badParameter(`invalid size: '${size}'`)
  if (!/^\d+$/.test(files) || Number(files) < 1) throw badParameter('max-file cannot be less than 1')
  if (!/^(1|0|t|f|true|false)$/i.test(compress)) throw badParameter(`invalid value for compress: '${compress}'`)
  checkLogAttributes(Config)
}

const fileOptions = ['max-size', 'max-file', 'compress']
const attributeOptions = ['labels', 'labels-regex', 'env', 'env-regex', 'tag']

/** These end up in mount options, limits and a shell script; a client that is no Go program may have sent anything. */
function checkNumbers(hostConfig: HostConfig): void {
  const { ShmSize, OomScoreAdj, Ulimits } = hostConfig
  const numbers = { ShmSize, OomScoreAdj }
  for (const [name, value] of Object.entries(numbers)) {
    if (!Number.isInteger(value)) throw badParameter(`invalid HostConfig.${name}: it must be an integer`)
  }
  checkUlimits(Ulimits ?? [])
}

export function checkUlimits(asked: NonNullable<HostConfig['Ulimits']>): void {
  for (const { Name, Soft, Hard } of asked) {
    if (!ulimits.has(Name)) throw badParameter(`invalid ulimit type: ${Name ?? ''}`)
    if (!Number.isInteger(Soft) || !Number.isInteger(Hard)) throw badParameter(`invalid ulimit ${Name}: not an integer`)
  }
}

const ulimits = new Set(
  'core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'.split(' '),
)
