/**
 * What a fake engine answers with: the shapes of the Docker Engine API, made from what it keeps. Also the archives
 * that it is sent.
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { text as readText } from 'node:stream/consumers'
import type { Readable } from 'node:stream'
import type { StreamName } from '@dinghy/shared/docker/stdcopy'
import tar from 'tar-stream'

/** The fields of a create request that tests look at; whatever else was sent is there, too. */
export interface CreateBody {
  Image: string
  Cmd?: string[]
  Tty?: boolean
  OpenStdin?: boolean
  Labels?: Record<string, string>
  Env?: string[]
  Healthcheck?: object
  HostConfig: Record<string, unknown> & {
    AutoRemove?: boolean
    Mounts?: { Type: string; Source?: string; Target: string }[]
  }
  NetworkingConfig?: { EndpointsConfig: Record<string, { Aliases?: string[] }> }
  [field: string]: unknown
}

export interface FakeContainer {
  id: string
  name: string
  body: CreateBody
  state: 'created' | 'running' | 'paused' | 'restarting' | 'exited'
  exitCode: number
  startedAt: string
  output: { stream: StreamName; text: string }[]
  signals: string[]
  health: 'healthy' | 'unhealthy' | 'starting'
  /** Files for `cp` out of it, by absolute path; null is a directory. */
  files: Record<string, string | null>
}

export interface FileEntry {
  name: string
  type: string
  mode: number
  uid: number
  gid: number
  text: string
}

export interface SeenRequest {
  method: string
  path: string
  query: URLSearchParams
  headers: IncomingMessage['headers']
  body: unknown
}

export interface Resource {
  Name: string
  Labels: Record<string, string>
  [field: string]: unknown
}

export interface Exec {
  body: { Cmd: string[]; Tty?: boolean; AttachStdin?: boolean }
  exitCode: number
}

/** An answer with an error. */
export class Refusal extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** JSON, nothing (204), or something that writes the answer itself. */
export type Answer = object | undefined | ((response: ServerResponse) => void | Promise<void>)

/** GET (all, or one), POST create, DELETE: the same for networks and volumes. */
export function resourceAnswer(
  resources: Map<string, Resource>,
  { method, query, body }: SeenRequest,
  [name]: string[],
  kind: 'network' | 'volume',
): Answer {
  if (name === undefined) {
    const { label = [] } = JSON.parse(query.get('filters') ?? '{}') as { label?: string[] }
    const found = [...resources.values()].filter(({ Labels }) => hasLabels(Labels, label))
    return kind === 'volume' ? { Volumes: found } : found
  }
  if (method === 'POST') {
    const resource = body as Resource
    resources.set(resource.Name, resource)
    return { Id: resource.Name }
  }
  const resource = resources.get(name)
  if (!resource) throw new Refusal(404, `${kind} ${name} not found`)
  if (method === 'DELETE') resources.delete(name)
  return method === 'DELETE' ? undefined : resource
}

export function inspected({ id, name, body, state, exitCode, startedAt, health }: FakeContainer): object {
  return {
    Id: id,
    Name: `/${name}`,
    Config: { Tty: body.Tty ?? false },
    State: {
      Status: state,
      ExitCode: exitCode,
      StartedAt: startedAt,
      ...(body.Healthcheck ? { Health: { Status: health } } : {}),
    },
    // A volume that nobody named gets a name of 64 digits.
    Mounts: (body.HostConfig.Mounts ?? []).map(({ Type, Source, Target }) => ({
      Type,
      Name: Source ?? Buffer.from(`${id}${Target}`).toString('hex').padStart(64, '0').slice(-64),
      Destination: Target,
    })),
  }
}

function portsOf({ HostConfig }: CreateBody): unknown[] {
  const bindings = (HostConfig['PortBindings'] ?? {}) as Record<string, { HostIp: string; HostPort: string }[]>
  return Object.entries(bindings).flatMap(([key, list]) => {
    const [port, Type] = key.split('/')
    return list.map(({ HostPort }) => ({
      IP: '0.0.0.0',
      PrivatePort: Number(port),
      PublicPort: Number(HostPort || 32_768),
      Type,
    }))
  })
}

export function hasLabels(labels: Record<string, string>, wanted: string[]): boolean {
  return wanted.every((text) => {
    const [name = '', value] = text.split('=', 2)
    return name in labels && (value === undefined || labels[name] === value)
  })
}

export function lines(...objects: object[]): Answer {
  return (response: ServerResponse) =>
    void response.writeHead(200).end(objects.map((line) => `${JSON.stringify(line)}\r\n`).join(''))
}

export function withTag(name: string): string {
  return /[:@][^/]*$/.test(name) ? name : `${name}:latest`
}

export async function readFiles(archive: Readable): Promise<FileEntry[]> {
  const files: FileEntry[] = []
  const extract = tar.extract()
  archive.pipe(extract)
  for await (const entry of extract) {
    const { name, type, mode, uid, gid } = entry.header
    files.push({ name, type: type ?? 'file', mode, uid, gid, text: await readText(entry) })
  }
  return files
}

/** As in the list of containers. */
export function listed({ id, name, body, state, exitCode }: FakeContainer, now: string): object {
  return {
    Id: id,
    Names: [`/${name}`],
    Image: body.Image,
    State: state,
    Status: state === 'exited' ? `Exited (${exitCode}) 1 second ago` : state === 'running' ? 'Up 1 second' : state,
    Command: body.Cmd?.join(' ') ?? 'serve',
    Created: Date.parse(now) / 1000,
    Labels: body.Labels ?? {},
    Ports: portsOf(body),
  }
}

/** `cp` out of a container: its files below `path`, as the engine names them. */
export function archiveAnswer(container: FakeContainer, method: string, path: string): Answer {
  const clean = path.replace(/\/\.?$/, '')
  const content = clean === '' ? null : container.files[clean]
  if (content === undefined) throw new Refusal(404, `Could not find the file ${path} in container ${container.name}`)
  const name = path.endsWith('/.') ? '.' : (clean.split('/').at(-1) ?? '/')
  const stat = JSON.stringify({ name, mode: content === null ? 2 ** 31 + 0o755 : 0o644, size: 0 })
  const headers = { 'X-Docker-Container-Path-Stat': Buffer.from(stat).toString('base64') }
  return async (response: ServerResponse) => {
    response.writeHead(200, { ...headers, 'Content-Type': 'application/x-tar' })
    const pack = tar.pack()
    for (const [file, body] of method === 'HEAD' ? [] : Object.entries(container.files)) {
      if (file !== clean && !file.startsWith(`${clean}/`)) continue
      const entry = `${name}${file.slice(clean.length)}`
      if (body === null) pack.entry({ name: `${entry}/`, type: 'directory' })
      else pack.entry({ name: entry }, body)
    }
    pack.finalize()
    for await (const chunk of pack) response.write(chunk)
    response.end()
  }
}

export function newContainer(id: string, name: string, body: CreateBody): FakeContainer {
  return {
    id,
    name,
    body,
    state: 'created',
    exitCode: 0,
    startedAt: '0001-01-01T00:00:00Z',
    output: [],
    signals: [],
    health: 'healthy',
    files: {},
  }
}
