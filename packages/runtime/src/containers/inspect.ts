/**
 * `docker inspect` and `docker ps`: records in the shapes of the Engine API. Pure.
 */
import type { Published } from '../networks/port-proxy.ts'
import type { Container } from './container.ts'
import { commandOf } from './create-body.ts'
import type { ContainerRecord, Endpoint, State } from './record.ts'
import type { MountPoint } from '../volumes/mount-point.ts'
import { hasProcess, isUp } from './state.ts'

type Json = Record<string, unknown>

export interface InspectContext {
  published: Published[]
  sizes?: { rw: number; root: number }
  now: number
}

export function inspectJson(container: Container, { published, sizes }: InspectContext): Json {
  const { record, dir } = container
  const { config, hostConfig } = record
  const [path = '', ...args] = commandOf(config)
  return {
    Id: record.id,
    Created: record.created,
    Path: path,
    Args: args,
    State: stateJson(record.state, config.Healthcheck !== undefined),
    Image: record.imageId,
    ResolvConfPath: `${dir}/resolv.conf`,
    HostnamePath: `${dir}/hostname`,
    HostsPath: `${dir}/hosts`,
    LogPath: container.log?.path ?? '',
    Name: `/${record.name}`,
    RestartCount: record.restartCount,
    Driver: record.driver === 'process' ? 'vfs' : 'overlay2',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    ExecIDs: container.execIds.size > 0 ? [...container.execIds] : null,
    HostConfig: hostConfig,
    GraphDriver: {
      Name: record.driver === 'process' ? 'vfs' : 'overlay2',
      Data:
        record.driver !== 'process'
          ? {
              LowerDir: record.imageLayers.toReversed().join(':'),
              MergedDir: `${dir}/rootfs/merged`,
              UpperDir: `${dir}/rootfs/upper`,
              WorkDir: `${dir}/rootfs/work`,
            }
          : { RootDir: `${dir}/rootfs` },
    },
    ...(sizes !== undefined ? { SizeRw: sizes.rw, SizeRootFs: sizes.root } : {}),
    Mounts: record.mounts.map(mountJson),
    Config: config,
    NetworkSettings: networkSettings(record, published),
  }
}

function stateJson(state: State, hasHealth: boolean): Json {
  const { status, running } = state
  return {
    Status: status,
    Running: isUp(status),
    Paused: status === 'paused',
    Restarting: status === 'restarting',
    OOMKilled: state.oomKilled,
    Dead: status === 'dead',
    Pid: hasProcess(status) ? (running?.pid ?? 0) : 0,
    ExitCode: state.exitCode,
    Error: state.error,
    StartedAt: state.startedAt,
    FinishedAt: state.finishedAt,
    ...(hasHealth ? { Health: state.health ?? { Status: 'starting', FailingStreak: 0, Log: [] } } : {}),
  }
}

function mountJson(mount: MountPoint): Json {
  return {
    Type: mount.type,
    ...(mount.volume !== undefined ? { Name: mount.volume } : {}),
    Source: mount.image ?? mount.source,
    Destination: mount.target,
    ...(mount.type === 'volume' ? { Driver: 'local' } : {}),
    Mode: mount.mode,
    RW: !mount.readOnly,
    Propagation: mount.type === 'bind' ? (mount.propagation ?? 'rprivate') : '',
  }
}

function networkSettings(record: ContainerRecord, published: Published[]): Json {
  const { bridge } = record.networks
  const isRunning = hasProcess(record.state.status)
  return {
    Bridge: '',
    SandboxID: isRunning ? record.id : '',
    SandboxKey: '',
    Ports: isRunning ? portMap(record, published) : {},
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: bridge?.EndpointID ?? '',
    Gateway: bridge?.Gateway ?? '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    IPAddress: bridge?.IPAddress ?? '',
    IPPrefixLen: bridge?.IPPrefixLen ?? 0,
    IPv6Gateway: '',
    MacAddress: bridge?.MacAddress ?? '',
    Networks: Object.fromEntries(
      Object.entries(record.networks).map(([name, endpoint]) => [
        name,
        { ...shown(endpoint), IPv6Gateway: '', GlobalIPv6Address: '', GlobalIPv6PrefixLen: 0 },
      ]),
    ),
  }
}

function shown(endpoint: Endpoint): Endpoint {
  const copy = { ...endpoint }
  delete copy.DesiredMacAddress
  return copy
}

/** Exposed ports with where they are published; null for those that are not. */
function portMap(record: ContainerRecord, published: Published[]): Json {
  const keys = new Set(Object.keys(record.config.ExposedPorts ?? {}))
  for (const { containerPort, protocol } of published) keys.add(`${containerPort}/${protocol}`)
  return Object.fromEntries(
    [...keys].map((key) => {
      const bindings = published
        .filter(({ containerPort, protocol }) => `${containerPort}/${protocol}` === key)
        .map(({ hostIp, hostPort }) => ({ HostIp: hostIp || '0.0.0.0', HostPort: String(hostPort) }))
      return [key, bindings.length > 0 ? bindings : null]
    }),
  )
}

/**
 * `imageId`: what the image's name means by now, or nothing; where that is not this image, the list shows the id.
 * `linkNames` are those by which others link to it.
 */
export function summaryJson(
  container: Container,
  context: InspectContext & { imageId?: string; linkNames?: string[] },
): Json {
  const { record } = container
  const { published, sizes, now, imageId = record.imageId, linkNames = [] } = context
  const { config, hostConfig, state } = record
  return {
    Id: record.id,
    Names: [`/${record.name}`, ...linkNames],
    Image: imageId === record.imageId ? config.Image : record.imageId,
    ImageID: record.imageId,
    Command: commandLine(commandOf(config)),
    Created: Math.floor(Date.parse(record.created) / 1000),
    Ports: summaryPorts(record, published),
    ...(sizes !== undefined ? { SizeRw: sizes.rw, SizeRootFs: sizes.root } : {}),
    Labels: config.Labels,
    State: state.status,
    Status: statusText(state, now),
    HostConfig: { NetworkMode: hostConfig.NetworkMode },
    NetworkSettings: {
      Networks: Object.fromEntries(Object.entries(record.networks).map(([name, endpoint]) => [name, shown(endpoint)])),
    },
    Mounts: record.mounts.map(mountJson),
  }
}

function summaryPorts(record: ContainerRecord, published: Published[]): Json[] {
  if (!hasProcess(record.state.status)) return []
  return Object.entries(portMap(record, published)).flatMap(([key, bindings]) => {
    const [port, Type] = key.split('/')
    const PrivatePort = Number(port)
    if (bindings === null) return [{ PrivatePort, Type }]
    return (bindings as { HostIp: string; HostPort: string }[]).map(({ HostIp, HostPort }) => ({
      IP: HostIp,
      PrivatePort,
      PublicPort: Number(HostPort),
      Type,
    }))
  })
}

/** "Up 5 minutes (healthy)", "Exited (137) 2 hours ago", … */
export function statusText(state: State, now: number): string {
  const since = (time: string) => humanDuration(now - Date.parse(time))
  switch (state.status) {
    case 'running': {
      const { health } = state
      const suffix =
        health === undefined ? '' : health.Status === 'starting' ? ' (health: starting)' : ` (${health.Status})`
      return `Up ${since(state.startedAt)}${suffix}`
    }
    case 'paused':
      return `Up ${since(state.startedAt)} (Paused)`
    case 'restarting':
      return `Restarting (${state.exitCode}) ${since(state.finishedAt)} ago`
    case 'created':
      return 'Created'
    case 'removing':
      return 'Removal In Progress'
    case 'dead':
      return 'Dead'
    default:
      return `Exited (${state.exitCode}) ${since(state.finishedAt)} ago`
  }
}

/** As Docker words it. */
export function humanDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  if (seconds < 1) return 'Less than a second'
  if (seconds === 1) return '1 second'
  if (seconds < 60) return `${seconds} seconds`
  const minutes = Math.floor(seconds / 60)
  if (minutes === 1) return 'About a minute'
  if (minutes < 60) return `${minutes} minutes`
  const hours = Math.round(seconds / 3600)
  if (hours === 1) return 'About an hour'
  if (hours < 48) return `${hours} hours`
  const days = Math.floor(hours / 24)
  if (hours < 24 * 14) return `${days} days`
  if (hours < 24 * 60) return `${Math.floor(days / 7)} weeks`
  if (hours < 24 * 365 * 2) return `${Math.floor(days / 30)} months`
  return `${Math.floor(days / 365)} years`
}

/** As moby writes it: what holds a blank in quotes. */
export function commandLine(args: string[]): string {
  return args.map((arg, index) => (index > 0 && arg.includes(' ') ? `'${arg}'` : arg)).join(' ')
}
