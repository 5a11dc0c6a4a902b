// From a service of the model to what the engine is asked to create, and the hash by which a change is noticed. Pure.

import { createHash } from 'node:crypto'
import type { Project, Service } from './model.ts'

export const label = {
  project: 'com.docker.compose.project',
  service: 'com.docker.compose.service',
  number: 'com.docker.compose.container-number',
  oneoff: 'com.docker.compose.oneoff',
  hash: 'com.docker.compose.config-hash',
  image: 'com.docker.compose.image',
  directory: 'com.docker.compose.project.working_dir',
  files: 'com.docker.compose.project.config_files',
  dependsOn: 'com.docker.compose.depends_on',
  network: 'com.docker.compose.network',
  volume: 'com.docker.compose.volume',
  version: 'com.docker.compose.version',
} as const

/** Where secrets and configs have been written on this machine: source name → path. */
export type FilePaths = Record<'secrets' | 'configs', Record<string, string>>

/** The image's name: the file's own, or `<project>-<service>` for one that is built here. */
export const imageName = (project: Project, service: Service): string =>
  service.image ?? `${project.name}-${service.name}`

export function containerName(project: Project, service: Service, number: number): string {
  return service.container_name ?? `${project.name}-${service.name}-${number}`
}

/** Equal hashes: the running container is what the file asks for. How many there are, and what builds it, does not count. */
export function configHash(service: Service): string {
  const { build: _build, replicas: _replicas, depends_on: _dependencies, profiles: _profiles, ...rest } = service
  return createHash('sha256')
    .update(JSON.stringify(sorted(rest)))
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

export interface ContainerOptions {
  number: number
  imageId: string
  files: FilePaths
  /** `compose run`: another command, no published ports, gone afterwards. */
  oneOff?: { command?: string[]; env?: Record<string, string>; remove?: boolean; publish?: boolean }
}

export function createBody(project: Project, service: Service, { number, imageId, files, oneOff }: ContainerOptions) {
  const ports = oneOff && !oneOff.publish ? [] : service.ports
  const environment = { ...service.environment, ...oneOff?.env }
  const command = oneOff?.command ?? service.command
  const grace = service.stop_grace_period
  return {
    Image: imageName(project, service),
    // An explicit null clears the image's own; leaving the field out keeps it.
    ...(command !== undefined && { Cmd: command ?? [] }),
    ...(service.entrypoint !== undefined && { Entrypoint: service.entrypoint ?? [] }),
    Env: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
    ...(service.user !== undefined && { User: service.user }),
    ...(service.working_dir !== undefined && { WorkingDir: service.working_dir }),
    ...(service.hostname !== undefined && { Hostname: service.hostname }),
    ...(service.domainname !== undefined && { Domainname: service.domainname }),
    ...(service.stop_signal !== undefined && { StopSignal: service.stop_signal }),
    ...(grace !== undefined && { StopTimeout: Math.ceil(grace) }),
    OpenStdin: service.stdin_open ?? false,
    Tty: service.tty ?? false,
    ...(service.healthcheck && { Healthcheck: healthcheck(service.healthcheck) }),
    ExposedPorts: Object.fromEntries(
      [
        ...ports.map(({ target, protocol }) => `${target}/${protocol}`),
        ...service.expose.map((port) => (port.includes('/') ? port : `${port}/tcp`)),
      ].map((key) => [key, {}]),
    ),
    Labels: { ...service.labels, ...ownLabels(project, service, number, imageId, oneOff !== undefined) },
    HostConfig: {
      PortBindings: portBindings(ports),
      Mounts: mounts(project, service, files),
      Tmpfs: Object.fromEntries(service.tmpfs.map((entry) => splitOnce(entry))),
      RestartPolicy: oneOff ? { Name: 'no' } : restartPolicy(service.restart),
      AutoRemove: oneOff?.remove ?? false,
      NetworkMode: networkMode(project, service),
      ...(service.limits.memory !== undefined && { Memory: service.limits.memory }),
      ...(service.limits.cpus !== undefined && { NanoCpus: Math.round(service.limits.cpus * 1e9) }),
      ...(service.limits.pids !== undefined && { PidsLimit: service.limits.pids }),
      ...(service.init !== undefined && { Init: service.init }),
      ...(service.shm_size !== undefined && { ShmSize: service.shm_size }),
      ...(service.runtime !== undefined && { Runtime: service.runtime }),
      ...(service.ipc !== undefined && { IpcMode: service.ipc }),
      ...(service.pid !== undefined && { PidMode: service.pid }),
      ...(service.logging && {
        LogConfig: { Type: service.logging.driver ?? 'json-file', Config: service.logging.options ?? {} },
      }),
      Privileged: service.privileged ?? false,
      ReadonlyRootfs: service.read_only ?? false,
      CapAdd: service.cap_add,
      CapDrop: service.cap_drop,
      Dns: service.dns,
      ExtraHosts: service.extra_hosts,
      SecurityOpt: service.security_opt,
      Sysctls: service.sysctls,
    },
    NetworkingConfig: { EndpointsConfig: endpoints(project, service, oneOff !== undefined) },
  }
}

function ownLabels(
  project: Project,
  service: Service,
  number: number,
  imageId: string,
  oneOff: boolean,
): Record<string, string> {
  const dependencies = Object.entries(service.depends_on).map(
    ([name, { condition, restart }]) => `${name}:${condition}:${restart}`,
  )
  return {
    [label.project]: project.name,
    [label.service]: service.name,
    [label.number]: String(number),
    [label.oneoff]: oneOff ? 'True' : 'False',
    [label.hash]: configHash(service),
    [label.image]: imageId,
    [label.directory]: project.directory,
    [label.files]: project.files.join(','),
    [label.dependsOn]: dependencies.join(','),
  }
}

function endpoints(project: Project, service: Service, oneOff: boolean) {
  return Object.fromEntries(
    Object.entries(service.networks).map(([key, { aliases, ipv4_address }]) => {
      const own = oneOff
        ? []
        : [service.name, ...(service.container_name === undefined ? [] : [service.container_name])]
      return [
        project.networks[key]?.name ?? key,
        {
          Aliases: [...new Set([...own, ...aliases])],
          ...(ipv4_address !== undefined && { IPAMConfig: { IPv4Address: ipv4_address } }),
        },
      ]
    }),
  )
}

function networkMode(project: Project, service: Service): string {
  const mode = service.network_mode
  // `service:db` shares the network of that service's first container.
  if (mode?.startsWith('service:')) {
    const target = project.services[mode.slice('service:'.length)]
    return `container:${target ? containerName(project, target, 1) : mode.slice('service:'.length)}`
  }
  const [first] = Object.keys(service.networks)
  return mode ?? (first === undefined ? 'none' : (project.networks[first]?.name ?? first))
}

function mounts(project: Project, service: Service, files: FilePaths) {
  const own = service.volumes.map(({ type, source, target, read_only }) => ({
    Type: type,
    ...(source !== undefined && { Source: type === 'volume' ? (project.volumes[source]?.name ?? source) : source }),
    Target: target,
    ReadOnly: read_only,
    // A bind of a path that is not there yet makes a directory, as `-v` always did.
    ...(type === 'bind' && { BindOptions: { CreateMountpoint: true } }),
  }))
  const given = (['secrets', 'configs'] as const).flatMap((kind) =>
    service[kind].map(({ source, target }) => ({
      Type: 'bind',
      Source: files[kind][source],
      Target: target,
      ReadOnly: true,
    })),
  )
  return [...own, ...given]
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
  return { Name: name, ...(retries !== undefined && { MaximumRetryCount: Number(retries) }) }
}

function healthcheck({
  test,
  interval,
  timeout,
  start_period,
  start_interval,
  retries,
}: NonNullable<Service['healthcheck']>) {
  return {
    Test: test,
    Interval: interval ?? 0,
    Timeout: timeout ?? 0,
    StartPeriod: start_period ?? 0,
    StartInterval: start_interval ?? 0,
    Retries: retries ?? 0,
  }
}

function splitOnce(text: string): [string, string] {
  const colon = text.indexOf(':')
  return colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)]
}
