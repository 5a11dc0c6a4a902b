/** What a container has mounted over its root file system. */
export interface Mount {
  type: 'bind' | 'tmpfs'
  /** Where it comes from on the host; empty for a tmpfs. A directory or a file, which must exist. */
  source: string
  /** Absolute path inside the container; created if missing. */
  target: string
  readOnly: boolean
  /**
   * Of a bind: `source` is a path without links, found in a volume in which others may move things. If a link has taken
   * the place of a part of it before it is mounted, the container does not start.
   */
  real?: boolean
  /** Further mount options for a tmpfs, such as `size=64m,mode=1777`. */
  options?: string
  /** Mounts that are made in it later on this machine show up inside; otherwise they do not. */
  propagation?: 'slave' | 'rslave'
}
