/**
 * A compose project after loading: every short form written out long, every file merged, every variable filled in.
 * What the rest of this folder works on; the names are the Compose specification's.
 */

export interface Project {
  name: string
  /** Where relative paths start: the directory of the first file. */
  directory: string
  files: string[]
  services: Record<string, Service>
  /** Services whose profile is not active: not started, but no orphans either. */
  disabled: string[]
  networks: Record<string, Network>
  volumes: Record<string, Volume>
  secrets: Record<string, FileSource>
  configs: Record<string, FileSource>
}

export type DependencyCondition = 'service_started' | 'service_healthy' | 'service_completed_successfully'

export interface Dependency {
  condition: DependencyCondition
  required: boolean
  /** Restart this service when compose has restarted or replaced the dependency. */
  restart: boolean
}

export interface Service {
  name: string
  image?: string
  build?: Build
  /** Empty: none, whatever the image says. */
  command?: string[]
  entrypoint?: string[]
  environment: Record<string, string>
  ports: Port[]
  expose: string[]
  volumes: Mount[]
  /** `service`, `service:ro` or `container:name`. */
  volumes_from: string[]
  networks: Record<string, Endpoint>
  /** These three may also be `service:name` or `container:name`. */
  network_mode?: string
  ipc?: string
  pid?: string
  depends_on: Record<string, Dependency>
  healthcheck?: Healthcheck
  restart?: string
  secrets: FileReference[]
  configs: FileReference[]
  profiles: string[]
  container_name?: string
  labels: Record<string, string>
  tmpfs: string[]
  /** Seconds. */
  stop_grace_period?: number
  replicas: number
  limits: { cpus?: number; memory?: number; pids?: number }
  extra_hosts: string[]
  logging?: { driver?: string; options?: Record<string, string> }
  pull_policy?: string
  platform?: string
  /** Whether `up` shows its output. */
  attach: boolean
  /** Fields that go to the engine much as they are, by compose's names: load/engine-fields.ts. */
  settings: Record<string, unknown>
}

export interface Build {
  /** A directory, or the address of a repository or archive. */
  context: string
  dockerfile?: string
  dockerfile_inline?: string
  args: Record<string, string | null>
  target?: string
  labels: Record<string, string>
  tags: string[]
  cache_from: string[]
  extra_hosts: string[]
  network?: string
  shm_size?: number
  ulimits?: Record<string, { soft: number; hard: number }>
  no_cache?: boolean
  pull?: boolean
  secrets?: BuildSecret[]
}

/** What a Dockerfile's `RUN --mount=type=secret,id=TARGET` finds. */
export interface BuildSecret {
  source: string
  target: string
}

export interface Port {
  target: number
  /** A port or a range, or nothing: the engine picks one. */
  published?: string
  host_ip?: string
  protocol: string
}

export interface Mount {
  type: 'bind' | 'volume' | 'tmpfs' | 'image'
  source?: string
  target: string
  read_only: boolean
  create_host_path?: boolean
  propagation?: string
  nocopy?: boolean
  subpath?: string
  size?: number
  mode?: number
}

export interface Endpoint {
  aliases: string[]
  ipv4_address?: string
  mac_address?: string
  /** The highest one's network comes first. */
  priority?: number
}

export interface Healthcheck {
  /** ["NONE"], ["CMD", …] or ["CMD-SHELL", "…"]; empty: the image's own. */
  test: string[]
  /** Nanoseconds, as the engine takes them. */
  interval?: number
  timeout?: number
  start_period?: number
  start_interval?: number
  retries?: number
}

export interface Network {
  /** The engine's name: `<project>_<key>` unless the file says otherwise. */
  name: string
  external: boolean
  driver?: string
  driver_opts?: Record<string, string>
  internal?: boolean
  attachable?: boolean
  enable_ipv6?: boolean
  labels: Record<string, string>
  ipam?: { driver?: string; config?: { subnet?: string; gateway?: string; ip_range?: string }[] }
}

export interface Volume {
  name: string
  external: boolean
  driver?: string
  driver_opts?: Record<string, string>
  labels: Record<string, string>
}

/** A top-level secret or config: a file on this machine, or text that is put into the container. */
export interface FileSource {
  name: string
  external: boolean
  file?: string
  content?: string
  environment?: string
}

/** A service's use of one. */
export interface FileReference {
  source: string
  target: string
  uid?: string
  gid?: string
  mode?: number
}
