/**
 * A container engine for tests of its clients: as much of the Docker Engine API as they use, over a real unix socket,
 * with programs that live in memory. What a client asked is in `requests`, `builds` and `uploads`.
 *
 * A container's program is its command; without one it is `serve`:
 *   serve            runs until it is stopped         say WORDS    writes them and runs on
 *   exit N [WORDS]   writes the words and ends        cat          gives back its stdin and ends with it
 *   crash            ends with 1 at each start and waits to be restarted: it is `restarting` most of the time
 * and of an exec: `exit N [WORDS]` and `cat`. An image whose name begins with "broken" cannot be pulled.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text as readText } from 'node:stream/consumers'
import type { Duplex } from 'node:stream'
import { frame, type StreamName } from '@dinghy/shared/docker/stdcopy'
import {
  type Answer,
  archiveAnswer,
  type CreateBody,
  type Exec,
  type FakeContainer,
  type FileEntry,
  hasLabels,
  inspected,
  lines,
  listed,
  newContainer,
  readFiles,
  Refusal,
  type Resource,
  resourceAnswer,
  type SeenRequest,
  withTag,
} from './docker-answers.ts'

export class FakeDocker {
  readonly containers = new Map<string, FakeContainer>()
  readonly images = new Map<string, string>()
  readonly networks = new Map<string, Resource>()
  readonly volumes = new Map<string, Resource>()
  readonly requests: SeenRequest[] = []
  /** What was sent to POST /build. */
  readonly builds: { query: URLSearchParams; headers: IncomingMessage['headers']; files: FileEntry[] }[] = []
  /** What was unpacked into containers. */
  readonly uploads: { container: string; query: URLSearchParams; files: FileEntry[] }[] = []
  /** Called before each request is answered; what it throws as a Refusal is the answer. */
  beforeAnswer: (request: SeenRequest) => void = () => undefined
  /** A moment that all times of this engine are. */
  readonly now = '2024-05-06T07:08:09.123456789Z'
  readonly socketPath: string
  readonly #directory = mkdtempSync(join(tmpdir(), 'fake-docker-'))
  readonly #execs = new Map<string, Exec>()
  readonly #watchers = new Set<(container: FakeContainer, action: string) => void>()
  readonly #upgraded = new Set<Duplex>()
  readonly #subscribers = new Set<ServerResponse>()
  readonly #server: Server
  #count = 0

  private constructor() {
    this.socketPath = join(this.#directory, 'docker.sock')
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        const { status, message } = error instanceof Refusal ? error : new Refusal(500, String(error))
        if (response.headersSent) response.destroy(error as Error)
        else response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify({ message }))
      })
    })
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      socket.on('error', () => socket.destroy())
      this.#upgraded.add(socket)
      socket.on('close', () => this.#upgraded.delete(socket))
      if (head.length > 0) socket.unshift(head)
      this.#hijack(request, socket).catch((error: unknown) => socket.destroy(error as Error))
    })
  }

  static async start(): Promise<FakeDocker> {
    const docker = new FakeDocker()
    docker.#server.listen(docker.socketPath)
    await once(docker.#server, 'listening')
    return docker
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    for (const socket of this.#upgraded) socket.destroy()
    await closed
    rmSync(this.#directory, { recursive: true, force: true })
  }

  refuse(status: number, message: string): never {
    throw new Refusal(status, message)
  }

  /** By name, or by what an id begins with. */
  find(name: string): FakeContainer {
    for (const container of this.containers.values())
      if (container.name === name || container.id.startsWith(name)) return container
    throw new Refusal(404, `No such container: ${name}`)
  }

  names(state?: FakeContainer['state']): string[] {
    const all = [...this.containers.values()].filter((one) => state === undefined || one.state === state)
    return all.map(({ name }) => name).toSorted()
  }

  /** Requests that change something, as "POST /containers/create". */
  get changes(): string[] {
    return this.requests
      .filter(({ method }) => !['GET', 'HEAD'].includes(method))
      .map((one) => `${one.method} ${one.path}`)
  }

  write(container: FakeContainer, text: string, stream: StreamName = 'stdout'): void {
    container.output.push({ stream, text })
    this.#tell(container, 'output')
  }

  end(container: FakeContainer, exitCode: number): void {
    if (container.state !== 'running' && container.state !== 'paused') return
    const restarts = container.body.Cmd?.[0] === 'crash'
    Object.assign(container, { state: restarts ? 'restarting' : 'exited', exitCode })
    this.#tell(container, 'die')
    if (container.body.HostConfig.AutoRemove) this.containers.delete(container.id)
  }

  /** Ends every subscription, as an engine that is shut down does. */
  endEvents(): void {
    for (const response of this.#subscribers) response.end()
  }

  /** Resolves when one of the containers is told of, and `isDone` holds. */
  until(isDone: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!isDone()) return
        this.#watchers.delete(look)
        resolve()
      }
      this.#watchers.add(look)
      look()
    })
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://engine')
    const path = decodeURIComponent(url.pathname.replace(/^\/v1\.\d+/, ''))
    const isTar = request.headers['content-type'] === 'application/x-tar'
    const files = isTar ? await readFiles(request) : []
    const text = isTar ? '' : await readText(request)
    const seen: SeenRequest = {
      method: request.method ?? '',
      path,
      query: url.searchParams,
      headers: request.headers,
      body: text === '' ? undefined : JSON.parse(text),
    }
    this.requests.push(seen)
    this.beforeAnswer(seen)
    if (path === '/build') this.builds.push({ query: seen.query, headers: request.headers, files })
    const answer = this.#route(seen, files)
    if (typeof answer === 'function') return answer(response)
    if (answer === undefined) response.writeHead(204).end()
    else response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer))
  }

  #route(request: SeenRequest, files: FileEntry[]): Answer {
    const [, kind = '', ...rest] = request.path.split('/')
    switch (kind) {
      case 'events':
        return (response: ServerResponse) => this.#events(request.query, response)
      case 'build':
        return this.#build(request.query)
      case 'images':
        return this.#image(request, rest.join('/'))
      case 'networks':
        return resourceAnswer(this.networks, request, rest, 'network')
      case 'volumes':
        return resourceAnswer(this.volumes, request, rest, 'volume')
      case 'exec':
        return { ExitCode: this.#execs.get(rest[0] ?? '')?.exitCode }
      default:
        return this.#container(request, rest, files)
    }
  }

  #build(query: URLSearchParams): Answer {
    for (const tag of query.getAll('t'))
      this.images.set(withTag(tag), `sha256:${String(++this.#count).padStart(64, '0')}`)
    return lines({ stream: 'Step 1/1 : FROM scratch\n' }, { stream: 'Successfully built\n' })
  }

  #image({ method, query }: SeenRequest, path: string): Answer {
    if (path === 'json')
      return [...this.images].map(([tag, Id]) => ({ Id, RepoTags: [tag], Created: 0, Size: 4_260_000 }))
    if (path === 'create') {
      const name = query.get('fromImage') ?? ''
      if (name.startsWith('broken')) return lines({ status: 'Pulling' }, { error: `pull access denied for ${name}` })
      const tagged = query.has('tag') ? `${name}:${query.get('tag')}` : withTag(name)
      this.images.set(tagged, `sha256:${String(++this.#count).padStart(64, '0')}`)
      return lines({ status: 'Pulling' }, { status: 'WARNING: it stands in' })
    }
    const name = withTag(path.replace(/\/json$/, ''))
    const Id = this.images.get(name)
    if (Id === undefined) throw new Refusal(404, `No such image: ${name}`)
    if (method !== 'DELETE') return { Id, Size: 4_260_000, RepoTags: [name] }
    this.images.delete(name)
    return [{ Untagged: name }]
  }

  #container(request: SeenRequest, [id = '', verb = '']: string[], files: FileEntry[]): Answer {
    const { method, query } = request
    if (id === 'json') return this.#list(query)
    if (id === 'create') return this.#create(query.get('name') ?? '', request.body as CreateBody)
    const container = this.find(id)
    if (method === 'DELETE') {
      this.end(container, 137)
      this.containers.delete(container.id)
      this.#tell(container, 'destroy')
      return undefined
    }
    switch (verb) {
      case 'json':
        return inspected(container)
      case 'start':
        this.start(container)
        return undefined
      case 'restart':
        this.end(container, 0)
        this.start(container)
        return undefined
      case 'stop':
        return this.#stop(container)
      case 'kill':
        if (container.state !== 'running') throw new Refusal(409, `Container ${id} is not running`)
        container.signals.push(query.get('signal') ?? 'SIGKILL')
        this.end(container, 137)
        return undefined
      case 'pause':
      case 'unpause':
        container.state = verb === 'pause' ? 'paused' : 'running'
        return undefined
      case 'rename':
        container.name = query.get('name') ?? ''
        return undefined
      case 'resize':
        return undefined
      case 'top':
        return { Titles: ['PID', 'CMD'], Processes: [['7', container.body.Cmd?.join(' ') ?? 'serve']] }
      case 'logs':
        return (response: ServerResponse) => this.#logs(container, query, response)
      case 'wait':
        return (response: ServerResponse) => this.#wait(container, query, response)
      case 'archive':
        return this.#archive(container, request, files)
      case 'exec': {
        const exec = `exec${++this.#count}`
        this.#execs.set(exec, { body: request.body as Exec['body'], exitCode: 0 })
        return { Id: exec }
      }
      default:
        throw new Refusal(404, `page not found: ${verb}`)
    }
  }

  #list(query: URLSearchParams): object {
    const { label = [] } = JSON.parse(query.get('filters') ?? '{}') as { label?: string[] }
    const all = query.get('all') === '1'
    return [...this.containers.values()]
      .filter(({ state, body }) => (all || state === 'running') && hasLabels(body.Labels ?? {}, label))
      .map((container) => listed(container, this.now))
  }

  #create(name: string, body: CreateBody): Answer {
    if (this.names().includes(name)) throw new Refusal(409, `Conflict. The container name "/${name}" is already in use`)
    if (!this.images.has(withTag(body.Image))) throw new Refusal(404, `No such image: ${withTag(body.Image)}`)
    const id = (++this.#count).toString(16).padStart(64, '0')
    const container = newContainer(id, name || `unnamed_${this.#count}`, body)
    this.containers.set(id, container)
    this.#tell(container, 'create')
    return { Id: id, Warnings: [] }
  }

  start(container: FakeContainer): void {
    container.state = 'running'
    container.startedAt = `${this.now.slice(0, -1)}${++this.#count}Z`
    this.#tell(container, 'start')
    const [verb = 'serve', ...words] = container.body.Cmd ?? []
    if (verb === 'say') this.write(container, `${words.join(' ')}\n`)
    if (verb === 'crash') this.write(container, 'crashed\n', 'stderr')
    if (verb === 'exit' && words.length > 1) this.write(container, `${words.slice(1).join(' ')}\n`)
    if (verb === 'exit') this.end(container, Number(words[0]))
    if (verb === 'crash') this.end(container, 1)
  }

  /** What is between two restarts is stopped without an event of its death: it has died before. */
  #stop(container: FakeContainer): undefined {
    if (container.state === 'restarting') container.state = 'exited'
    this.end(container, 143)
    this.#tell(container, 'stop')
    return undefined
  }

  #logs(container: FakeContainer, query: URLSearchParams, response: ServerResponse): void {
    const follow = query.get('follow') === '1'
    let sent = 0
    const send = () => {
      for (const { stream, text } of container.output.slice(sent))
        response.write(container.body.Tty ? text : frame(stream, Buffer.from(text)))
      sent = container.output.length
      if (!follow || container.state !== 'running') {
        this.#watchers.delete(send)
        response.end()
      }
    }
    response.writeHead(200).flushHeaders()
    this.#watchers.add(send)
    response.on('close', () => this.#watchers.delete(send))
    send()
  }

  async #wait(container: FakeContainer, query: URLSearchParams, response: ServerResponse): Promise<void> {
    response.writeHead(200, { 'Content-Type': 'application/json' }).flushHeaders()
    const next = query.has('condition')
    let hasEnded = !next && container.state === 'exited'
    const look = (one: FakeContainer, action: string) => (hasEnded ||= one === container && action === 'die')
    this.#watchers.add(look)
    await this.until(() => hasEnded)
    this.#watchers.delete(look)
    response.end(JSON.stringify({ StatusCode: container.exitCode }))
  }

  #archive(container: FakeContainer, { method, query }: SeenRequest, files: FileEntry[]): Answer {
    const path = query.get('path') ?? ''
    if (method === 'PUT') {
      this.uploads.push({ container: container.name, query, files })
      return {}
    }
    return archiveAnswer(container, method, path)
  }

  #events(query: URLSearchParams, response: ServerResponse): void {
    const filters = JSON.parse(query.get('filters') ?? '{}') as Partial<Record<'label' | 'event', string[]>>
    response.writeHead(200, { 'Content-Type': 'application/json' }).flushHeaders()
    const watch = (container: FakeContainer, action: string) => {
      const labels = container.body.Labels ?? {}
      if (action === 'output' || !(filters.event ?? [action]).includes(action)) return
      if (!hasLabels(labels, filters.label ?? [])) return
      const Attributes = { ...labels, name: container.name, exitCode: String(container.exitCode) }
      const event = { Type: 'container', Action: action, Actor: { ID: container.id, Attributes } }
      response.write(`${JSON.stringify({ ...event, timeNano: Date.parse(this.now) * 1e6 })}\n`)
    }
    this.#watchers.add(watch)
    this.#subscribers.add(response)
    response.on('close', () => {
      this.#watchers.delete(watch)
      this.#subscribers.delete(response)
    })
  }

  async #hijack(request: IncomingMessage, socket: Duplex): Promise<void> {
    const [, kind, id = ''] = (request.url ?? '').replace(/^\/v1\.\d+/, '').split(/[/?]/)
    socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n')
    const exec = kind === 'exec' ? this.#execs.get(id) : undefined
    if (exec) {
      const say = (text: string) => socket.write(exec.body.Tty ? text : frame('stdout', Buffer.from(text)))
      const [verb, code, ...words] = exec.body.Cmd
      if (verb === 'cat') for await (const chunk of socket) say(String(chunk))
      if (words.length > 0) say(`${words.join(' ')}\n`)
      exec.exitCode = verb === 'exit' ? Number(code) : 0
      return void socket.end()
    }
    await this.#attach(this.find(id), socket)
  }

  async #attach(container: FakeContainer, socket: Duplex): Promise<void> {
    let sent = container.output.length
    const send = (one: FakeContainer, action: string) => {
      if (one !== container) return
      for (const { stream, text } of container.output.slice(sent))
        socket.write(container.body.Tty ? text : frame(stream, Buffer.from(text)))
      sent = container.output.length
      if (action !== 'die') return
      this.#watchers.delete(send)
      socket.end()
    }
    this.#watchers.add(send)
    socket.on('close', () => this.#watchers.delete(send))
    if (container.body.Cmd?.[0] !== 'cat') return void socket.resume()
    for await (const chunk of socket) this.write(container, String(chunk))
    this.end(container, 0)
  }

  #tell(container: FakeContainer, action: string): void {
    for (const watch of this.#watchers) watch(container, action)
  }
}
