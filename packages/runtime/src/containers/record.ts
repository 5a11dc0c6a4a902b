/**
 * What a container is, as it is kept on disk: `<root>/containers/<id>/config.json`. The parts that a client sends and
 * reads back (`config`, `hostConfig`, `networks`) have the field names of the Engine API, so that nothing is lost
 * between create and inspect; everything else is ours.
 */
import type { PortBinding } from '../networks/ports.ts'
import type { MountPoint, MountRequest } from '../volumes/mount-point.ts'
import type { Healthcheck, RunConfig } from '@dinghy/images/content/oci'
import type { Running } from '../drivers/driver.ts'

/** `Config` of the Engine API, complete: what create did not say has been taken from the image. */
export interface ContainerConfig extends RunConfig {
  Hostname: string
  Domainname: string
  User: string
  AttachStdin: boolean
  AttachStdout: boolean
  AttachStderr: boolean
  Tty: boolean
  OpenStdin: boolean
  StdinOnce: boolean
  Env: string[]
  Cmd: string[] | null
  Entrypoint: string[] | null
  Image: string
  Labels: Record<string, string>
  WorkingDir: string
  Healthcheck?: Healthcheck
  StopSignal?: string
  StopTimeout?: number
  /** Of the main network; clients of API 1.44 and newer say it of an endpoint. */
  MacAddress?: string
}

export interface RestartPolicy {
  Name: '' | 'no' | 'always' | 'on-failure' | 'unless-stopped'
  MaximumRetryCount: number
}

/** The part of HostConfig that we act on; the rest is kept and shown, as Docker does for what a platform lacks. */
export interface HostConfig {
  Binds: string[] | null
  Mounts?: MountRequest[]
  Tmpfs?: Record<string, string>
  VolumesFrom?: string[] | null
  LogConfig: { Type: string; Config: Record<string, string> }
  NetworkMode: string
  PortBindings: Record<string, PortBinding[] | null>
  PublishAllPorts: boolean
  RestartPolicy: RestartPolicy
  AutoRemove: boolean
  CapAdd: string[] | null
  CapDrop: string[] | null
  Privileged: boolean
  ReadonlyRootfs: boolean
  SecurityOpt: string[] | null
  GroupAdd: string[] | null
  Dns: string[] | null
  DnsSearch: string[] | null
  DnsOptions: string[] | null
  ExtraHosts: string[] | null
  Links: string[] | null
  PidMode: string
  IpcMode: string
  UTSMode: string
  ShmSize: number
  Sysctls?: Record<string, string>
  Ulimits: { Name: string; Soft: number; Hard: number }[] | null
  Devices: { PathOnHost: string; PathInContainer: string; CgroupPermissions: string }[] | null
  OomScoreAdj: number
  Init?: boolean
  ConsoleSize?: [number, number]
  Memory: number
  MemorySwap: number
  MemoryReservation: number
  NanoCpus: number
  CpuShares: number
  CpuQuota: number
  CpuPeriod: number
  CpusetCpus: string
  PidsLimit: number | null
  /** Of /proc; those of Docker, or none for a privileged container. */
  MaskedPaths?: string[] | null
  ReadonlyPaths?: string[] | null
  [other: string]: unknown
}

/** An endpoint of `NetworkSettings.Networks`. */
export interface Endpoint {
  IPAMConfig: { IPv4Address?: string; IPv6Address?: string } | null
  Links: string[] | null
  Aliases: string[] | null
  DriverOpts: Record<string, string> | null
  NetworkID: string
  EndpointID: string
  Gateway: string
  IPAddress: string
  IPPrefixLen: number
  /** Of the present run. */
  MacAddress: string
  /** Asked for; not shown. */
  DesiredMacAddress?: string
  /** Decides which network leads out. */
  GwPriority?: number
  DNSNames: string[] | null
}

export type Status = 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead'

export interface HealthLogEntry {
  Start: string
  End: string
  ExitCode: number
  Output: string
}

export interface Health {
  Status: 'none' | 'starting' | 'healthy' | 'unhealthy'
  FailingStreak: number
  Log: HealthLogEntry[]
}

export interface State {
  status: Status
  exitCode: number
  /** Why the last start failed. */
  error: string
  oomKilled: boolean
  startedAt: string
  finishedAt: string
  /** The first process of the present run. */
  running?: Running
  health?: Health
}

export interface ContainerRecord {
  id: string
  /** Without the leading slash. */
  name: string
  created: string
  imageId: string
  imageLayers: string[]
  hostBase: boolean
  driver: string
  config: ContainerConfig
  hostConfig: HostConfig
  networks: Record<string, Endpoint>
  mounts: MountPoint[]
  state: State
  restartCount: number
  /** Stopped by a user: `unless-stopped` stays down, and a restart policy does not answer this exit. */
  stoppedByUser: boolean
  /** Started at least once by a user; what `always` looks at after a restart of the runtime. */
  startedByUser: boolean
}

/** What Docker shows for a moment that has not come yet. */
export const never = '0001-01-01T00:00:00Z'
