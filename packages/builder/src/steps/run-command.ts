/** What a RUN asks of whoever can run programs in a file system: the runtime, or a test. */
import type { Rootfs } from '@dinghy/images/layers/snapshotter'

/** Something that only the command sees. */
export interface StepMount {
  type: 'bind' | 'tmpfs'
  /** A directory or a file of the host; empty for a tmpfs. */
  source: string
  /** Absolute path in the file system; made if it is missing. */
  target: string
  readOnly: boolean
  /** Further mount options for a tmpfs, such as `size=64m`. */
  options?: string
}

/** Of every RUN of a build. */
export interface RunLimits {
  /** Of /dev/shm. */
  shmSizeBytes?: number
  ulimits?: { name: string; soft: number; hard: number }[]
}

/** Runs a command to its end and resolves with its exit code, 128 + n when signal n ended it. */
export type RunCommand = (
  options: {
    rootfs: Rootfs
    args: string[]
    env: string[]
    workdir: string
    /** As in `docker run --user`. */
    user: string
    mounts?: StepMount[]
    /** `none`: a loopback device only. Otherwise the machine's network. */
    network?: 'none' | 'default'
    /** "name:address", for /etc/hosts. */
    extraHosts?: readonly string[]
    limits?: RunLimits
    /** Bytes in the order in which each stream gave them. */
    onOutput: (stream: 'stdout' | 'stderr', chunk: Buffer) => void
  },
  signal?: AbortSignal,
) => Promise<number>
