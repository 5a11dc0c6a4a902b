/**
 * From a service of the model to what the engine is asked to create, and the hash by which a change is noticed. Pure.
 */

import { createHash } from 'node:crypto'
import { label } from './labels.ts'
import { engineSettings } from './load/engine-fields.ts'
import type { FileReference, FileSource, Mount, Project, Service } from './model.ts'

/** The image's name: the file's own, or `<project>-<service>` for one that is built here. */
export function imageName(project: Project, service: Service): string {
  return service.image ?? `${project.name}-${service.name}`
}

export function containerName(project: Project, service: Service, number: number): string {
  return service.container_name ?? `${project.name}-${service.name}-${number}`
}

/**
 * Equal hashes: the running container is what the file asks for. How many there are, what builds the image and what
 * has to be there before does not count; what is in a secret or config does, where compose puts it into the container.
 */
export function configHash(project: Project, service: Service): string {
  const {
    build: _build,
    replicas: _replicas,
    depends_on: _depends,
    profiles: _profiles,
    attach: _attach,
    ...rest
  } = service
  const texts = textFiles(project, service).map(({ reference, text }) => [reference.target, text])
  return createHash('sha256')
    .update(JSON.stringify(sorted({ ...rest, pull_policy: undefined, texts })))
    .digest('hex')
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, child]) => [key, sorted(child)]),
  )
}

interface ContainerOptions {
  number: number
  imageId: string
  /** Anonymous volumes of the container that this one replaces: target → name. */
  inherited?: Record<string, string>
  oneOff?: OneOff
}

/** `compose run`: another command, no published ports unless asked for, and it may have a terminal. */
interface OneOff {
  command?: string[]
  entrypoint?: string[]
  environment?: Record<string, string>
  user?: string
  workdir?: string
  volumes?: Mount[]
  labels?: Record<string, string>
  publish?: boolean
  tty: boolean
  stdin: boolean
  remove: boolean
}

export function createBody(project: Project, service: Service, options: ContainerOptions): Record<string, unknown> {
  const { oneOff } = options
  const ports = oneOff && !oneOff.publish ? [] : service.ports
  const { command = oneOff?.entrypoint ? [] : service.command, entrypoint = service.entrypoint } = oneOff ?? {}
  const exposed = [
    ...ports.map(({ target, protocol }) => `${target}/${protocol}`),
    ...service.expose.map((port) => (port.includes('/') ? port : `${port}/tcp`)),
  ]
  const environment = { ...service.environment, ...oneOff?.environment }
  return {
    ...engineSettings(service.settings, 'Config'),
    Image: imageName(project, service),
    // An entrypoint of [""] is how the engine is told of none; leaving the field out keeps the image's.
    ...(entrypoint !== undefined ? { Entrypoint: entrypoint.length > 0 ? entrypoint : [''] } : {}),
    ...(command !== undefined ? { Cmd: command } : {}),
    Env: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
    ...(service.stop_grace_period !== undefined ? { StopTimeout: Math.ceil(service.stop_grace_period) } : {}),
    ...(service.healthcheck ? { Healthcheck: healthcheck(service.healthcheck) } : {}),
    ExposedPorts: Object.fromEntries(exposed.map((key) => [key, {}])),
    Labels: { ...service.labels, ...oneOff?.labels, ...ownLabels(project, service, options) },
    ...(oneOff
      ? {
          AttachStdin: oneOff.stdin,
          OpenStdin: oneOff.stdin,
          StdinOnce: oneOff.stdin,
          Tty: oneOff.tty,
          ...(oneOff.user !== undefined ? { User: oneOff.user } : {}),
          ...(oneOff.workdir !== undefined ? { WorkingDir: oneOff.workdir } : {}),
        }
      : {}),
    HostConfig: {
      ...engineSettings(service.settings, 'HostConfig'),
      PortBindings: portBindings(ports),
      Mounts: mounts(project, service, options),
      VolumesFrom: service.volumes_from.map((from) => volumeSource(project, from)),
      Tmpfs: Object.fromEntries(service.tmpfs.map(splitAtColon)),
      RestartPolicy: oneOff ? { Name: 'no' } : restartPolicy(service.restart),
      AutoRemove: oneOff?.remove ?? false,
      NetworkMode: networkMode(project, service),
      ...(service.ipc !== undefined ? { IpcMode: sharedNamespace(project, service.ipc) } : {}),
      ...(service.pid !== undefined ? { PidMode: sharedNamespace(project, service.pid) } : {}),
      ...(service.limits.memory !== undefined ? { Memory: service.limits.memory } : {}),
      ...(service.limits.cpus !== undefined ? { NanoCpus: Math.round(service.limits.cpus * 1e9) } : {}),
      ...(service.limits.pids !== undefined ? { PidsLimit: service.limits.pids } : {}),
      ...(service.logging
        ? {
            LogConfig: { Type: service.logging.driver ?? '', Config: service.logging.options ?? {} },
          }
        : {}),
      ExtraHosts: service.extra_hosts,
    },
    NetworkingConfig: { EndpointsConfig: endpoints(project, service, oneOff !== undefined) },
  }
}

function ownLabels(project: Project, service: Service, { number, imageId, oneOff }: ContainerOptions) {
  const dependencies = Object.entries(service.depends_on).map(
    ([name, { condition, restart }]) => `${name}:${condition}:${restart}`,
  )
  return {
    [label.project]: project.name,
    [label.service]: service.name,
    [label.number]: String(number),
    [label.oneoff]: oneOff ? 'True' : 'False',
    [label.hash]: configHash(project, service),
    [label.image]: imageId,
    [label.directory]: project.directory,
    [label.files]: project.files.join(','),
    [label.dependsOn]: dependencies.join(','),
  }
}

// A one-off container must not answer to its service's name: others would be sent to it.
function endpoints(project: Project, service: Service, oneOff: boolean) {
  return Object.fromEntries(
    Object.entries(service.networks).map(([key, { aliases, ipv4_address, mac_address }]) => {
      const own = oneOff
        ? []
        : [service.name, ...(service.container_name === undefined ? [] : [service.container_name]), ...aliases]
      return [
        project.networks[key]?.name ?? key,
        {
          Aliases: [...new Set(own)],
          ...(ipv4_address !== undefined ? { IPAMConfig: { IPv4Address: ipv4_address } } : {}),
          ...(mac_address !== undefined ? { MacAddress: mac_address } : {}),
        },
      ]
    }),
  )
}

function networkMode(project: Project, { network_mode, networks }: Service): string {
  const [first] = Object.keys(networks)
  if (network_mode !== undefined) return sharedNamespace(project, network_mode)
  return first === undefined ? 'none' : (project.networks[first]?.name ?? first)
}

/** `service:db` is the namespace of that service's first container. */
function sharedNamespace(project: Project, mode: string): string {
  const service = mode.startsWith('service:') ? project.services[mode.slice('service:'.length)] : undefined
  return service ? `container:${containerName(project, service, 1)}` : mode
}

function volumeSource(project: Project, from: string): string {
  if (from.startsWith('container:')) return from.slice('container:'.length)
  const [name = '', mode] = from.split(':')
  const service = project.services[name]
  return [service ? containerName(project, service, 1) : name, ...(mode === undefined ? [] : [mode])].join(':')
}

function mounts(project: Project, service: Service, { inherited = {}, oneOff }: ContainerOptions) {
  const written = [...service.volumes, ...(oneOff?.volumes ?? [])]
  const own = written.map((mount) => {
    const named = mount.type === 'volume' && mount.source === undefined ? inherited[mount.target] : undefined
    return toEngineMount(project, named === undefined ? mount : { ...mount, source: named })
  })
  // Volumes that the image declares are not in the file at all; their data moves on to the new container as well.
  const taken = new Set(written.map(({ target }) => target))
  const kept = Object.entries(inherited).filter(([target]) => !taken.has(target))
  return [
    ...own,
    ...kept.map(([target, name]) => ({ Type: 'volume', Source: name, Target: target })),
    ...boundFiles(project, service),
  ]
}

function toEngineMount(project: Project, mount: Mount) {
  const { type, source, target, read_only, create_host_path, propagation, nocopy, subpath, size, mode } = mount
  const name = type === 'volume' && source !== undefined ? (project.volumes[source]?.name ?? source) : source
  return {
    Type: type,
    Target: target,
    ReadOnly: read_only,
    ...(name !== undefined ? { Source: name } : {}),
    ...(type === 'bind'
      ? { BindOptions: { CreateMountpoint: create_host_path ?? false, Propagation: propagation } }
      : {}),
    ...(type === 'volume' ? { VolumeOptions: { NoCopy: nocopy, Subpath: subpath } } : {}),
    ...(type === 'image' ? { ImageOptions: { Subpath: subpath } } : {}),
    ...(type === 'tmpfs' ? { TmpfsOptions: { SizeBytes: size, Mode: mode } } : {}),
  }
}

interface Used {
  kind: 'secrets' | 'configs'
  reference: FileReference
  source: FileSource
}

export function usedFiles(project: Project, service: Service): Used[] {
  return (['secrets', 'configs'] as const).flatMap((kind) =>
    service[kind].flatMap((reference) => {
      const source = project[kind][reference.source]
      return source ? [{ kind, reference, source }] : []
    }),
  )
}

/** Secrets and configs that are files of this machine: mounted. */
function boundFiles(project: Project, service: Service) {
  return usedFiles(project, service).flatMap(({ reference, source: { file } }) =>
    file === undefined ? [] : [{ Type: 'bind', Source: file, Target: reference.target, ReadOnly: true }],
  )
}

/** Those that are text: put into the container once it has been created. */
export function textFiles(project: Project, service: Service): { reference: FileReference; text: string }[] {
  return usedFiles(project, service).flatMap(({ reference, source: { file, content } }) =>
    file === undefined && content !== undefined ? [{ reference, text: content }] : [],
  )
}

function portBindings(ports: Service['ports']): Record<string, { HostIp: string; HostPort: string }[]> {
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {}
  for (const { target, protocol, published = '', host_ip = '' } of ports) {
    ;(bindings[`${target}/${protocol}`] ??= []).push({ HostIp: host_ip, HostPort: published })
  }
  return bindings
}

function restartPolicy(restart = 'no') {
  const [name = 'no', retries] = restart.split(':')
  return { Name: name, ...(retries !== undefined ? { MaximumRetryCount: Number(retries) } : {}) }
}

function healthcheck(check: NonNullable<Service['healthcheck']>) {
  return {
    ...(check.test.length > 0 ? { Test: check.test } : {}),
    Interval: check.interval ?? 0,
    Timeout: check.timeout ?? 0,
    StartPeriod: check.start_period ?? 0,
    StartInterval: check.start_interval ?? 0,
    Retries: check.retries ?? 0,
  }
}

function splitAtColon(text: string): [string, string] {
  const colon = text.indexOf(':')
  return colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)]
}
