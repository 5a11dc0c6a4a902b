/**
 * How a container really runs: the seam between the container lifecycle and the machine.
 *
 * A driver turns a Rootfs, which a snapshotter has prepared, and a ProcessSpec into a running process, and answers
 * questions about it. It keeps no state of its own in memory that matters: everything that is needed to find a
 * container again after the runtime was killed is in its run directory (drivers/shim.ts) and in `Running`.
 *
 * Three drivers implement it: `linux` (namespaces, overlayfs, cgroups), `oci` (the same by way of runc or crun) and
 * `process` (a child process in a directory).
 */

import type { Rootfs } from '@dinghy/images/layers/snapshotter'
import type { NetworkInterface } from '../networks/network-interface.ts'
import type { Mount } from '../snapshots/mount.ts'

/** A program to run inside a container: its own, or an exec. */
export interface ProcessSpec {
  args: string[]
  /** NAME=value, complete: nothing of the runtime's own environment is added. */
  env: string[]
  cwd: string
  /** As in `docker run --user`: "", "name", "uid", "name:group", "uid:gid". Looked up in the container's own files. */
  user: string
  groupAdd?: string[]
  capAdd?: string[]
  capDrop?: string[]
  privileged?: boolean
  noNewPrivileges?: boolean
  tty?: boolean
  /** Rows and columns of a TTY at the start. */
  consoleSize?: [number, number]
}

export interface Resources {
  memoryBytes?: number
  memorySwapBytes?: number
  memoryReservationBytes?: number
  /** CPUs × 10⁹, as `docker run --cpus`. */
  nanoCpus?: number
  cpuShares?: number
  cpuQuotaUs?: number
  cpuPeriodUs?: number
  cpusetCpus?: string
  pids?: number
}

/** `private`, `host`, the namespace that another process lives in, or the one that a file holds. */
export type NamespaceMode = 'private' | 'host' | { pid: number } | { path: string }

export interface ContainerSpec {
  id: string
  rootfs: Rootfs
  /** Made by createRunDir for this run: FIFOs, pid and exit files live here. */
  runDir: string
  process: ProcessSpec
  mounts: Mount[]
  /** Empty: keep the machine's own. */
  hostname: string
  domainname?: string
  readOnlyRoot?: boolean
  /** `null`: /dev/null. `once`: ends with the runtime's writing end. `keep`: never ends. See shim.sh. */
  stdin: 'null' | 'once' | 'keep'
  /** Run a small init as PID 1 that forwards signals and reaps orphans. */
  init?: boolean
  namespaces?: { pid?: NamespaceMode; ipc?: NamespaceMode; uts?: NamespaceMode; network?: NamespaceMode }
  /** What to plug into a private network namespace. */
  interfaces?: NetworkInterface[]
  resources?: Resources
  shmSizeBytes?: number
  sysctls?: Record<string, string>
  ulimits?: { name: string; soft: number; hard: number }[]
  oomScoreAdj?: number
  devices?: { source: string; target: string; permissions: string }[]
  /**
   * What follows `--security-opt seccomp=`: "unconfined" or a profile in Docker's format; absent: the driver's default.
   */
  seccomp?: string
  /**
   * Confine writes of the program to its root and mounts even where the driver has no mount namespace of its own.
   * A build's RUN asks for this: a Dockerfile must never change the machine. The driver refuses when it cannot.
   */
  protectHost?: boolean
}

/** A started container, as it is written to disk. */
export interface Running {
  id: string
  /** Host pid of the container's first process. */
  pid: number
  /** The kernel's start time of that pid, which tells it from a later process with the same number. */
  startTime: string
  runDir: string
}

export interface Exit {
  code: number
  /** Since the epoch, with fractions. */
  finishedAtMs: number
  oomKilled: boolean
}

export interface ExecProcess {
  pid: number
  stdin: NodeJS.WritableStream | undefined
  stdout: NodeJS.ReadableStream
  /** Absent with a TTY, whose one stream is stdout. */
  stderr: NodeJS.ReadableStream | undefined
  exited: Promise<number>
  resize(rows: number, columns: number): Promise<void>
  /** Ends it and everything it started. */
  kill(): Promise<void>
}

export interface ProcessRow {
  pid: number
  ppid: number
  uid: number
  startedAt: Date
  cpuSeconds: number
  terminal: string
  command: string
}

export interface Usage {
  cpuNanos: number
  cpuUserNanos: number
  cpuKernelNanos: number
  memoryBytes: number
  memoryPeakBytes: number
  memoryLimitBytes: number
  memoryCacheBytes: number
  pids: number
  pidsLimit: number
  readBytes: number
  writeBytes: number
}

export interface Driver {
  readonly name: 'linux' | 'oci' | 'process'
  /** Whether `ContainerSpec.seccomp` has an effect. */
  readonly enforcesSeccomp: boolean
  /** What this driver does not isolate, and what is missing on this machine; a sentence a line. */
  describe(): string[]

  /** Limits that will silently not hold, in Docker's words; a driver that refuses them at the start has none. */
  warningsFor(resources: Resources): string[]

  /** Makes a fresh run directory with its FIFOs, in the place of that of an earlier run. */
  createRunDir(runDir: string): Promise<void>
  /**
   * Starts the program and resolves when it runs. What cannot start throws a DockerError with Docker's own texts
   * ("executable file not found in $PATH", "permission denied", …), after everything has been undone.
   */
  start(spec: ContainerSpec, signal?: AbortSignal): Promise<Running>
  /** Resolves when the container has exited, also for one that a previous runtime process started. */
  wait(running: Running, signal?: AbortSignal): Promise<Exit>
  isAlive(running: Running): boolean
  /** Sends a signal to the container's first process. Unknown signals and dead processes throw. */
  signal(running: Running, signal: NodeJS.Signals | number): Promise<void>
  /**
   * For a run whose start was never settled: ends whatever there is of it, and resolves when nothing is left. Nothing
   * may be said to have ended before that.
   */
  endRun(id: string, runDir: string): Promise<void>
  /** Ends every process of the container at once. */
  killAll(running: Running, spec: ContainerSpec): Promise<void>
  /** Frees what belongs to containers that no longer exist; called once, at start-up. Says what could not be freed. */
  sweep(knownIds: ReadonlySet<string>): Promise<string[]>
  pause(running: Running, spec: ContainerSpec): Promise<void>
  resume(running: Running, spec: ContainerSpec): Promise<void>
  exec(running: Running, spec: ContainerSpec, process: ProcessSpec, stdin: boolean): Promise<ExecProcess>
  resize(running: Running, rows: number, columns: number): Promise<void>
  update(running: Running, spec: ContainerSpec): Promise<void>
  usage(running: Running, spec: ContainerSpec): Promise<Usage>
  processes(running: Running, spec: ContainerSpec): Promise<ProcessRow[]>

  /** The runtime stops: gives back what no container needs. Containers run on. */
  close(): Promise<void>
}
