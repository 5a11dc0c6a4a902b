/**
 * The documents of the OCI image specification, as far as the runtime reads and writes them.
 *
 * An *image* here is always one platform's: a config (whose digest is the image id, as in Docker) that names its
 * layers by `diff_ids`, the digests of their uncompressed tars. Manifests exist only on the way to and from a
 * registry or an archive. Docker's older media types mean the same and are read alike.
 */

export interface Descriptor {
  mediaType: string
  digest: string
  size: number
  platform?: Platform
  annotations?: Record<string, string>
}

export interface Platform {
  os: string
  architecture: string
  variant?: string
  'os.features'?: string[]
}

export interface Manifest {
  schemaVersion: 2
  /** OCI allows to leave it out. */
  mediaType?: string
  config: Descriptor
  layers: Descriptor[]
}

export interface ManifestIndex {
  schemaVersion: 2
  mediaType?: string
  manifests: Descriptor[]
}

/** How a container of this image runs; field names and meaning as in Docker's `Config`. */
export interface RunConfig {
  Hostname?: string
  Domainname?: string
  User?: string
  ExposedPorts?: Record<string, Record<string, never>>
  /** `NAME=value`. */
  Env?: string[]
  Cmd?: string[] | null
  /** Windows only in Docker; kept when a pulled image carries it. */
  ArgsEscaped?: boolean
  Entrypoint?: string[] | null
  Volumes?: Record<string, Record<string, never>>
  WorkingDir?: string
  Labels?: Record<string, string>
  StopSignal?: string
  StopTimeout?: number
  Shell?: string[]
  Healthcheck?: Healthcheck
  OnBuild?: string[] | null
}

/** Durations are nanoseconds; `Test` is ["NONE"], ["CMD", …] or ["CMD-SHELL", text]. */
export interface Healthcheck {
  Test?: string[]
  Interval?: number
  Timeout?: number
  StartPeriod?: number
  StartInterval?: number
  Retries?: number
}

export interface HistoryEntry {
  created?: string
  created_by?: string
  author?: string
  comment?: string
  /** The step changed the config only: it has no entry in `diff_ids`. */
  empty_layer?: boolean
}

export interface OciImageConfig {
  created?: string
  author?: string
  architecture: string
  os: string
  variant?: string
  'os.features'?: string[]
  config: RunConfig
  rootfs: { type: 'layers'; diff_ids: string[] }
  history?: HistoryEntry[]
}

/**
 * Marks an image that stands on this machine's own programs instead of carrying them. `os.features` is OCI's place
 * for "what the system must offer for this to run", so the mark survives save, load, push and pull.
 */
export const hostBaseFeature = 'dinghy.host-base'

export const mediaTypes = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  layerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  layerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar',
  dockerLayerGzip: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
} as const

export function isIndex(document: Manifest | ManifestIndex): document is ManifestIndex {
  return 'manifests' in document
}

export function isHostBase(config: OciImageConfig): boolean {
  return config['os.features']?.includes(hostBaseFeature) ?? false
}

/** This machine, in the names of Go that images use. */
export function hostPlatform(): { os: string; architecture: string; variant?: string } {
  const architectures: Partial<Record<NodeJS.Architecture, string>> = { x64: 'amd64', ia32: '386' }
  const architecture = architectures[process.arch] ?? process.arch
  // Containers are Linux ones on every machine: what runs on macOS is a sandboxed process with a Linux-shaped image.
  return { os: 'linux', architecture, ...(architecture === 'arm64' ? { variant: 'v8' } : {}) }
}
