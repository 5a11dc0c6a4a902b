/**
 * The parts of the Docker Engine API's bodies that its clients read and write. Names and nesting are Docker's own.
 * Fields that some engines leave out are optional here, so that the reader must say what their absence means.
 */

export interface DockerVersion {
  Version: string
  ApiVersion: string
  KernelVersion?: string
  Platform?: { Name: string }
}

export interface DockerInfo {
  Driver?: string
  OperatingSystem?: string
  KernelVersion?: string
  /** Network lists the network drivers: "bridge", "host", "null", and "loopback" where the engine has it. */
  Plugins?: { Network?: string[] }
}

/** One line of GET /containers/json. */
export interface ContainerSummary {
  Id: string
  Names: string[]
  Image: string
  ImageID: string
  /** Seconds since the epoch. */
  Created: number
  State: 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead'
  Labels: Record<string, string>
  HostConfig?: { NetworkMode?: string }
  NetworkSettings?: { Networks?: Record<string, { IPAddress?: string } | undefined> }
}

/** GET /containers/{id}/json. The zero time "0001-01-01T00:00:00Z" means "not yet". */
export interface ContainerInspect {
  Id: string
  Created: string
  Image: string
  State: {
    Status: ContainerSummary['State']
    Running: boolean
    OOMKilled?: boolean
    Pid: number
    ExitCode: number
    Error: string
    StartedAt: string
    FinishedAt: string
  }
  Config: { Image: string; Tty?: boolean; OpenStdin?: boolean; Labels?: Record<string, string> }
  HostConfig?: { NetworkMode?: string }
  NetworkSettings?: { IPAddress?: string; Networks?: Record<string, { IPAddress?: string } | undefined> }
}

export interface ImageInspect {
  Id: string
  RepoTags?: string[] | null
  RepoDigests?: string[] | null
  Size: number
  Config?: { User?: string } | null
}

export interface ImageSummary {
  Id: string
  RepoTags?: string[] | null
  RepoDigests?: string[] | null
  Size: number
}

export interface DockerMount {
  Type: 'bind' | 'tmpfs'
  Source?: string
  Target: string
  ReadOnly?: boolean
  BindOptions?: { Propagation?: string; CreateMountpoint?: boolean }
}

/** The body of POST /containers/create. */
export interface ContainerCreate {
  Image: string
  Hostname?: string
  User?: string
  Env?: string[]
  Entrypoint?: string[]
  Cmd?: string[]
  WorkingDir?: string
  Tty?: boolean
  OpenStdin?: boolean
  StdinOnce?: boolean
  Labels: Record<string, string>
  ExposedPorts?: Record<string, object>
  Healthcheck?: { Test: string[] }
  HostConfig: HostConfig
}

export interface HostConfig {
  NetworkMode: string
  IpcMode?: string
  PidMode?: string
  Mounts?: DockerMount[]
  Binds?: string[]
  PortBindings?: Record<string, { HostIp: string; HostPort: string }[]>
  Dns?: string[]
  DnsSearch?: string[]
  DnsOptions?: string[]
  Privileged?: boolean
  CapAdd?: string[]
  CapDrop?: string[]
  ReadonlyRootfs?: boolean
  SecurityOpt?: string[]
  GroupAdd?: string[]
  Sysctls?: Record<string, string>
  NanoCpus?: number
  CpuShares?: number
  Memory?: number
  LogConfig?: { Type: string; Config: Record<string, string> }
}

/** GET /containers/{id}/stats?stream=false, as far as the summary API needs it. */
export interface ContainerStats {
  read: string
  cpu_stats?: { cpu_usage?: { total_usage?: number } }
  memory_stats?: { usage?: number; stats?: Record<string, number> }
  networks?: Record<string, { rx_bytes: number; tx_bytes: number }>
}
