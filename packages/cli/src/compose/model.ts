// A compose project after loading: every short form written out long, every file merged, every variable filled in.
// What the rest of this folder works on; the names are the Compose specification's.

export interface Project {
  name: string
  /** Where relative paths start: the directory of the first file. */
  directory: string
  files: string[]
  services: Record<string, Service>
  networks: Record<string, Network>
  volumes: Record<string, Volume>
  secrets: Record<string, FileSource>
  configs: Record<string, FileSource>
}

export type DependencyCondition = 'service_started' | 'service_healthy' | 'service_completed_successfully'

export interface Service {
  name: string
  image?: string
  build?: Build
  command?: string[] | null
  entrypoint?: string[] | null
  environment: Record<string, string>
  ports: Port[]
  expose: string[]
  volumes: Mount[]
  networks: Record<string, { aliases: string[]; ipv4_address?: string }>
  network_mode?: string
  depends_on: Record<string, { condition: DependencyCondition; required: boolean; restart: boolean }>
  healthcheck?: Healthcheck
  restart?: string
  secrets: FileReference[]
  configs: FileReference[]
  profiles: string[]
  container_name?: string
  hostname?: string
  domainname?: string
  labels: Record<string, string>
  user?: string
  working_dir?: string
  tmpfs: string[]
  stop_signal?: string
  /** Seconds. */
  stop_grace_period?: number
  replicas: number
  limits: { cpus?: number; memory?: number; pids?: number }
  init?: boolean
  privileged?: boolean
  read_only?: boolean
  stdin_open?: boolean
  tty?: boolean
  cap_add: string[]
  cap_drop: string[]
  dns: string[]
  extra_hosts: string[]
  security_opt: string[]
  sysctls: Record<string, string>
  logging?: { driver?: string; options?: Record<string, string> }
  pull_policy?: string
  platform?: string
  /** Another container runtime: the engine knows whether it has it. */
  runtime?: string
  shm_size?: number
  ipc?: string
  pid?: string
}

export interface Build {
  context: string
  dockerfile?: string
  dockerfile_inline?: string
  args: Record<string, string | null>
  target?: string
  labels: Record<string, string>
  no_cache?: boolean
}

export interface Port {
  target: number
  /** A port, or nothing: the engine picks one. */
  published?: string
  host_ip?: string
  protocol: string
}

export interface Mount {
  type: 'bind' | 'volume' | 'tmpfs'
  source?: string
  target: string
  read_only: boolean
}

export interface Healthcheck {
  /** ["NONE"], ["CMD", …] or ["CMD-SHELL", "…"]. */
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
  internal?: boolean
  labels: Record<string, string>
  ipam?: { config?: { subnet?: string; gateway?: string }[] }
}

export interface Volume {
  name: string
  external: boolean
  driver?: string
  driver_opts?: Record<string, string>
  labels: Record<string, string>
}

/** A top-level secret or config. */
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
}
