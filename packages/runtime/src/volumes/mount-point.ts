/**
 * What a request asks to be mounted, and what it comes to: the words in which volumes, containers and the API speak of
 * mounts.
 */

/** The three places of a request that ask for mounts. */
export interface MountOptions {
  Binds: string[] | null
  Mounts?: MountRequest[] | null
  Tmpfs?: Record<string, string>
}

export interface MountRequest {
  Type: 'bind' | 'volume' | 'tmpfs' | 'image'
  Source?: string
  Target: string
  ReadOnly?: boolean
  BindOptions?: {
    CreateMountpoint?: boolean
    Propagation?: string
    NonRecursive?: boolean
    ReadOnlyNonRecursive?: boolean
    ReadOnlyForceRecursive?: boolean
  }
  VolumeOptions?: {
    NoCopy?: boolean
    Labels?: Record<string, string>
    DriverConfig?: { Name?: string; Options?: Record<string, string> }
    Subpath?: string
  }
  TmpfsOptions?: { SizeBytes?: number; Mode?: number; Options?: string[][] }
  ImageOptions?: { Subpath?: string }
}

/** A mount with everything decided; `Mounts` of inspect is made of these. */
export interface MountPoint {
  type: 'bind' | 'volume' | 'tmpfs' | 'image'
  /** Host directory or file; empty for a tmpfs. */
  source: string
  target: string
  readOnly: boolean
  /** As in Mount of snapshots/mount.ts. */
  real?: boolean
  /** Set for volumes. */
  volume?: string
  /** What of the volume is mounted, unless it is all of it. */
  subpath?: string
  /** Set for images: as it was asked for. */
  image?: string
  /** Directories of this machine that belong to that image and are mounted below, at their own paths. */
  machine?: string[]
  /** The volume was made for this container and has no name of the user's. */
  anonymous?: boolean
  /** Copy the image's files into the volume when it is empty. */
  seed?: boolean
  mode: string
  options?: string
  /**
   * Of a bind, when it is not the usual `rprivate`: mounts that are made in it later on this machine show up inside.
   */
  propagation?: 'slave' | 'rslave'
}
