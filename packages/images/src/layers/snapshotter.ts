/**
 * A file system made of an image's layers and one writable directory: containerd calls who makes these a snapshotter.
 *
 * It is declared here, where layers are, so that the builder can ask for one without knowing how containers run.
 * The runtime's drivers implement it.
 */

/** What a container's file system is made of. The layers belong to the image store, `dir` to this container. */
export interface Rootfs {
  /** Unpacked layer directories, lowest first. Never written to. */
  layers: string[]
  /** Beneath the layers lie this machine's own files (its /usr, its node): an image made without a network. */
  hostBase: boolean
  /** This container's own directory; the driver keeps its writable layer (`upper/`) and its mount points there. */
  dir: string
  /** It is thrown away after its run: nothing in it has to survive a power cut. */
  isTemporary?: boolean
}

export interface Change {
  /** Absolute path inside the container. */
  path: string
  kind: 'add' | 'modify' | 'delete'
}

export interface Snapshotter {
  /** Makes the directories. Idempotent. */
  prepare(rootfs: Rootfs): Promise<void>
  /** How the files differ from the image's, parents before children. */
  changes(rootfs: Rootfs): Promise<Change[]>
  /**
   * The host path of a directory that has changed or that leads to a change; it may show nothing but what has changed.
   * Only when nothing runs in it any more: links are not looked for.
   */
  changedDirectory(rootfs: Rootfs, path: string): Promise<string>
  /**
   * The host path at which `path` of the merged view can be read, symlinks followed inside the root only.
   * Throws ENOENT (`code`) when there is no such file.
   */
  pathIn(rootfs: Rootfs, path: string): Promise<string>
  /** Undoes `prepare`; nothing may run in it any more. Idempotent. */
  cleanup(rootfs: Rootfs): Promise<void>
}
