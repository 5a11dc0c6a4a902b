/**
 * `-v`, `--mount`, `--tmpfs` and an image's VOLUMEs, all as MountPoints. Pure; volumes get their directories later.
 */
import { posix } from 'node:path'
import type { MountOptions, MountPoint, MountRequest } from './mount-point.ts'
import { badParameter } from '@dinghy/shared/docker/errors'
import { partOfVolumeLabel } from '@dinghy/shared/docker/labels'
import { isLocalPath } from './subpath.ts'

const volumeName = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/
/** What may follow the second colon of -v. Consistency and labels have no meaning here and are accepted. */
const bindModes = new Set(['ro', 'rw', 'z', 'Z', 'nocopy', 'consistent', 'cached', 'delegated'])
const propagationModes = new Set(['rprivate', 'private', 'rslave', 'slave', 'rshared', 'shared'])

/**
 * The mounts of a container, later ones of the same target replacing earlier: volumes-from, image volumes, -v, --mount.
 * `labels` are the container's.
 */
export function mountPointsOf(
  hostConfig: MountOptions,
  volumes: string[],
  inherited: MountPoint[] = [],
  labels: Record<string, string> = {},
): MountPoint[] {
  const byTarget = new Map<string, MountPoint>()
  const explicit = [
    ...(hostConfig.Binds ?? []).map(parseBind),
    ...(hostConfig.Mounts ?? []).map(fromRequest),
    ...Object.entries(hostConfig.Tmpfs ?? {}).map(([target, options]) => tmpfs(target, options)),
  ]
  for (const mount of inherited) byTarget.set(mount.target, mount)
  const seen = new Set<string>()
  for (const mount of explicit) {
    if (seen.has(mount.target)) throw badParameter(`Duplicate mount point: ${mount.target}`)
    seen.add(mount.target)
    byTarget.set(mount.target, mount)
  }
  for (const target of labels[partOfVolumeLabel]?.split(':') ?? []) {
    const mount = byTarget.get(cleanTarget(target))
    if (mount?.type === 'bind') mount.real = true
  }
  for (const target of volumes.map(cleanTarget)) {
    if (!byTarget.has(target)) byTarget.set(target, anonymousVolume(target))
  }
  // Parents first, or a mount would hide what has been mounted inside its target.
  return [...byTarget.values()].toSorted((a, b) => depth(a.target) - depth(b.target) || (a.target < b.target ? -1 : 1))
}

function depth(path: string): number {
  return path.split('/').filter(Boolean).length
}

/** "source:target[:modes]", "name:target[:modes]" or just "target". */
export function parseBind(bind: string): MountPoint {
  const parts = bind.split(':')
  if (parts.length > 3 || parts.some((part) => part === '')) {
    throw badParameter(`invalid volume specification: '${bind}'`)
  }
  if (parts.length === 1) return anonymousVolume(cleanTarget(parts[0] ?? ''))
  const [source = '', target = '', modes = ''] = parts
  const flags = modes.split(',').filter(Boolean)
  const propagations = flags.filter((flag) => propagationModes.has(flag))
  const isKnown = flags.every((flag) => bindModes.has(flag) || propagationModes.has(flag))
  // A volume has no mounts in it to hand on.
  if (!isKnown || propagations.length > (source.startsWith('/') ? 1 : 0)) throw badParameter(`invalid mode: ${modes}`)
  const common = { target: cleanTarget(target), readOnly: flags.includes('ro'), mode: modes }
  if (source.startsWith('/')) {
    return { ...common, type: 'bind', source: posix.normalize(source), ...propagationOf(propagations[0]) }
  }
  checkVolumeName(source)
  return { ...common, type: 'volume', source: '', volume: source, seed: !flags.includes('nocopy') }
}

function propagationOf(text = ''): Pick<MountPoint, 'propagation'> {
  if (text === '' || text === 'rprivate' || text === 'private') return {}
  if (text === 'slave' || text === 'rslave') return { propagation: text }
  if (!propagationModes.has(text)) {
    throw badParameter(`invalid mount config for type "bind": invalid propagation mode: ${text}`)
  }
  throw badParameter(
    `bind propagation ${text} is not supported: what a container mounts is never shown to this machine; rslave is the other way round`,
  )
}

export function checkVolumeName(name: string): void {
  if (!volumeName.test(name)) {
    throw badParameter(
      `"${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
    )
  }
}

function fromRequest(request: MountRequest): MountPoint {
  const invalid = (reason: string) => badParameter(`invalid mount config for type "${request.Type}": ${reason}`)
  if (!request.Type) throw badParameter('mount type unknown: ""')
  if (!request.Target) throw invalid('field Target must not be empty')
  const common = { target: cleanTarget(request.Target), readOnly: request.ReadOnly ?? false, mode: '' }
  const extra = optionsOfOthers[request.Type]?.find((name) => request[name] !== undefined)
  if (extra !== undefined) throw invalid(`field ${extra} must not be specified`)
  switch (request.Type) {
    case 'bind':
      if (!request.Source) throw invalid('field Source must not be empty')
      if (!request.Source.startsWith('/'))
        throw invalid(`invalid mount path: '${request.Source}' mount path must be absolute`)
      if (request.BindOptions?.NonRecursive || request.BindOptions?.ReadOnlyForceRecursive)
        throw invalid('a bind brings the mounts inside of its source along here, and leaves them writable')
      return {
        ...common,
        type: 'bind',
        source: posix.normalize(request.Source),
        ...propagationOf(request.BindOptions?.Propagation),
      }
    case 'volume': {
      const { NoCopy = false, Subpath: subpath = '' } = request.VolumeOptions ?? {}
      if (!request.Source) {
        if (subpath !== '') throw invalid('must not set Subpath when using anonymous volumes')
        return { ...anonymousVolume(common.target), readOnly: common.readOnly, seed: !NoCopy }
      }
      checkVolumeName(request.Source)
      if (subpath !== '' && !isLocalPath(subpath)) throw invalid('subpath must be a relative path within the volume')
      const part = subpath === '' ? {} : { subpath }
      return { ...common, type: 'volume', source: '', volume: request.Source, seed: !NoCopy, ...part }
    }
    case 'tmpfs': {
      if (request.Source) throw invalid('field Source must not be specified')
      const { SizeBytes, Mode, Options = [] } = request.TmpfsOptions ?? {}
      const options = [SizeBytes ? `size=${SizeBytes}` : '', Mode ? `mode=${Mode.toString(8)}` : ''].filter(Boolean)
      for (const [name = '', ...value] of Options) {
        if (!['exec', 'noexec'].includes(name) || value.length > 0) throw invalid(`invalid option: ${name}`)
        options.push(name)
      }
      return { ...tmpfs(common.target, options.join(',')), readOnly: common.readOnly }
    }
    case 'image': {
      if (!request.Source) throw invalid('field Source must not be empty')
      const subpath = request.ImageOptions?.Subpath ?? ''
      if (subpath !== '' && !isLocalPath(subpath)) throw invalid('subpath must be a relative path within the image')
      return { ...common, readOnly: true, type: 'image', source: '', image: request.Source }
    }
    default:
      throw badParameter(`mount type unknown: "${String(request.Type)}"`)
  }
}

/** Fields that belong to another type of mount. */
const optionsOfOthers: Record<string, ('BindOptions' | 'VolumeOptions' | 'TmpfsOptions' | 'ImageOptions')[]> = {
  bind: ['VolumeOptions', 'TmpfsOptions', 'ImageOptions'],
  volume: ['BindOptions', 'TmpfsOptions', 'ImageOptions'],
  tmpfs: ['BindOptions', 'VolumeOptions', 'ImageOptions'],
  image: ['BindOptions', 'VolumeOptions', 'TmpfsOptions'],
}

/** What `--mount` asked for at this place. */
export function requestFor(target: string, mounts: readonly MountRequest[] = []): MountRequest | undefined {
  return mounts.find(({ Target }) => cleanTarget(Target) === target)
}

function tmpfs(target: string, options: string): MountPoint {
  const given = options.split(',').filter((option) => option !== '' && option !== 'ro' && option !== 'rw')
  const all = ['nosuid', 'nodev', 'noexec', ...given].join(',')
  return {
    type: 'tmpfs',
    source: '',
    target: cleanTarget(target),
    readOnly: options.split(',').includes('ro'),
    mode: '',
    options: all,
  }
}

function anonymousVolume(target: string): MountPoint {
  return { type: 'volume', source: '', target, readOnly: false, mode: '', anonymous: true, seed: true }
}

function cleanTarget(target: string): string {
  if (!target.startsWith('/')) throw badParameter(`invalid mount path: '${target}' mount path must be absolute`)
  const clean = posix.normalize(target).replace(/(?<=.)\/+$/, '')
  if (clean === '/') throw badParameter(`invalid specification: destination can't be '/'`)
  return clean
}
