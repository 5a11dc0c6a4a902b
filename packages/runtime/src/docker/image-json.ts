/** Images in the shapes of the Engine API. Pure. */
import { commentOf } from '@dinghy/images/store/history'
import type { Image } from '@dinghy/images/store/image-store'
import type { RunConfig } from '@dinghy/images/content/oci'

export function imageSummary(image: Image, options: { containers: number; before143: boolean }): object {
  const isNameless = image.repoTags.length + image.repoDigests.length === 0
  // Older clients look for these words, newer ones for empty lists.
  const old = options.before143 && isNameless
  return {
    Containers: options.containers,
    Created: Math.floor(Date.parse(image.created) / 1000),
    Id: image.id,
    Labels: image.config.config.Labels ?? null,
    ParentId: image.parent ?? '',
    RepoDigests: old ? ['<none>@<none>'] : image.repoDigests,
    RepoTags: old ? ['<none>:<none>'] : image.repoTags,
    SharedSize: -1,
    Size: image.size,
    VirtualSize: image.size,
  }
}

/** `before145`: older clients, such as docker-compose 1.x, rely on what has been dropped since. */
export function imageInspect(image: Image, options: { before145: boolean }): object {
  const { config } = image
  return {
    Id: image.id,
    RepoTags: image.repoTags,
    RepoDigests: image.repoDigests,
    Parent: image.parent ?? '',
    Comment: commentOf(config),
    Created: image.created,
    DockerVersion: '',
    Author: config.author ?? '',
    Config: fullConfig(config.config),
    ...(options.before145 ? { Container: '', ContainerConfig: fullConfig(config.config) } : {}),
    Architecture: config.architecture,
    ...(config.variant !== undefined ? { Variant: config.variant } : {}),
    Os: config.os,
    Size: image.size,
    VirtualSize: image.size,
    GraphDriver: { Data: null, Name: 'layers' },
    RootFS: { Type: 'layers', ...(config.rootfs.diff_ids.length > 0 ? { Layers: config.rootfs.diff_ids } : {}) },
    Metadata: {
      LastTagTime: image.lastTagged === 0 ? '0001-01-01T00:00:00Z' : new Date(image.lastTagged).toISOString(),
    },
  }
}

/** Docker shows every field of a config, also those that images do not have. */
function fullConfig(config: RunConfig): object {
  return {
    Hostname: '',
    Domainname: '',
    User: '',
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    Env: [],
    Cmd: null,
    Image: '',
    Volumes: null,
    WorkingDir: '',
    Entrypoint: null,
    OnBuild: null,
    Labels: null,
    ...config,
  }
}
