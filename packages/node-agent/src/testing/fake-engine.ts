/**
 * A container engine for tests: the part of the Docker Engine API that a node agent uses, over a real unix socket, with
 * programs that live in memory. The agent under test talks HTTP to it exactly as to any engine.
 *
 * A container's program is the first word of its command:
 *   serve            runs until SIGTERM                 stubborn       runs until SIGKILL
 *   exit N [words]   writes the words and ends with N   missing        cannot be started: no such file
 * and of an exec: `exit N [words]`, `cat` (gives back its stdin).
 * An image exists if it is in `images`; one whose name begins with "broken" cannot be pulled.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { Duplex, Writable } from 'node:stream'
import type { ContainerCreate, ContainerInspect } from '@dinghy/shared/docker/types'
import { frame } from '@dinghy/shared/docker/stdcopy'

export interface FakeContainer {
  id: string
  name: string
  body: ContainerCreate
  state: ContainerInspect['State']
  createdAt: Date
  ip: string
  output: string
  /** Signals that it was sent. */
  signals: string[]
}

interface Exec {
  container: string
  words: string[]
  exitCode: number | null
}

const never = '0001-01-01T00:00:00Z'

export class FakeEngine {
  readonly containers = new Map<string, FakeContainer>()
  readonly images = new Set(['registry.k8s.io/pause:3.10', 'busybox:1'])
  /** Bytes of images that are not of the usual size. */
  readonly sizes = new Map<string, number>()
  /** What a container uses, by its id. */
  readonly usage = new Map<string, { cpuNanos: number; memoryBytes: number; inactiveBytes: number }>()
  /** What terminals were told, "80x24". */
  readonly sizesOfTerminals: string[] = []
  readonly networks = new Map<string, unknown>()
  readonly pulled: string[] = []
  /** Every request, "POST /containers/create". */
  readonly requests: string[] = []
  /** The same with their queries. */
  readonly queries: string[] = []
  /** Every command that was executed in a container. */
  readonly executed: string[][] = []
  readonly #execs = new Map<string, Exec>()
  readonly #listeners = new Set<(line: string) => void>()
  /** By container id. */
  readonly #attached = new Map<string, Set<Writable>>()
  readonly #server: Server
  #count = 0
  #isHung = false
  readonly #waiting: (() => void)[] = []

  constructor() {
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        const { status, message } = error instanceof Refusal ? error : new Refusal(500, String(error))
        response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify({ message }))
      })
    })
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      // A client that gives up resets the connection.
      socket.on('error', () => socket.destroy())
      this.#hijack(request, socket, head).catch((error: unknown) => socket.destroy(error as Error))
    })
  }

  listen(socketPath: string): Promise<void> {
    return new Promise((resolve) => this.#server.listen(socketPath, resolve))
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    await closed
  }

  /** As a process that was sent SIGSTOP: it takes connections and requests, and answers when it goes on. */
  hang(): void {
    this.#isHung = true
  }

  resume(): void {
    this.#isHung = false
    for (const goOn of this.#waiting.splice(0)) goOn()
  }

  /** By the name in the pod; the newest. */
  find(name: string): FakeContainer | undefined {
    return this.all(name).at(-1)
  }

  all(name: string): FakeContainer[] {
    const key = 'io.kubernetes.container.name'
    return [...this.containers.values()].filter(({ body }) => body.Labels[key] === name)
  }

  /** The container writes something. */
  say(container: FakeContainer, text: string): void {
    container.output += text
    for (const socket of this.#attached.get(container.id) ?? []) socket.write(outputOf(container, text))
  }

  end(container: FakeContainer, exitCode: number): void {
    if (!container.state.Running) return
    for (const socket of this.#attached.get(container.id) ?? []) socket.end()
    Object.assign(container.state, { Status: 'exited', Running: false, ExitCode: exitCode, FinishedAt: now() })
    this.#tell('die', container)
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    await this.#awake()
    const url = new URL(request.url ?? '/', 'http://engine')
    const path = url.pathname.replace(/^\/v1\.\d+/, '')
    const query = url.searchParams
    this.requests.push(`${request.method} ${path}`)
    this.queries.push(`${request.method} ${path}${url.search}`)
    const body = JSON.parse((await text(request)) || 'null') as unknown
    const [, kind = '', ...rest] = path.split('/')
    const send = (value: unknown, status = 200) =>
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(value))
    if (kind === 'version') return void send({ Version: '0.0.1-fake', ApiVersion: '1.50' })
    if (kind === 'info') return void send({ Plugins: { Network: ['loopback'] } })
    if (kind === 'networks') return this.#network(rest, body, send)
    if (kind === 'events') return this.#events(response)
    if (kind === 'images') return this.#image(path.slice('/images/'.length), query, response, send)
    if (kind === 'exec') return void send(this.#inspectExec(rest[0] ?? ''))
    if (path === '/containers/json') return void send(this.#list(query))
    if (path === '/containers/create')
      return void send(this.#create(query.get('name') ?? '', body as ContainerCreate), 201)
    const container = this.containers.get(rest[0] ?? '')
    if (!container) throw new Refusal(404, `No such container: ${rest[0]}`)
    if (request.method === 'DELETE') return void send(this.#remove(container))
    await this.#act(container, rest[1] ?? '', { query, body, response, send })
  }

  /** Whoever is attached or follows the log. */
  #listen({ id }: FakeContainer, listener: Writable): void {
    const all = this.#attached.get(id) ?? new Set()
    this.#attached.set(id, all.add(listener))
    listener.once('close', () => all.delete(listener))
  }

  async #awake(): Promise<void> {
    if (this.#isHung) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  async #act(container: FakeContainer, verb: string, { query, body, response, send }: Call): Promise<void> {
    switch (verb) {
      case 'json':
        return void send(this.#inspect(container))
      case 'start':
        this.#start(container)
        return void response.writeHead(204).end()
      case 'stop':
        await this.#stop(container, Number(query.get('t')))
        return void response.writeHead(204).end()
      case 'kill':
        container.signals.push(query.get('signal') ?? 'KILL')
        this.end(container, 137)
        return void response.writeHead(204).end()
      case 'resize':
        this.sizesOfTerminals.push(`${query.get('w')}x${query.get('h')}`)
        return void response.writeHead(200).end()
      case 'stats': {
        const { cpuNanos, memoryBytes, inactiveBytes } = this.usage.get(container.id) ?? {}
        const memory = { usage: memoryBytes, stats: { inactive_file: inactiveBytes } }
        return void send({ cpu_stats: { cpu_usage: { total_usage: cpuNanos } }, memory_stats: memory })
      }
      case 'logs':
        response.writeHead(200).write(outputOf(container, container.output))
        if (query.has('follow') && container.state.Running) this.#listen(container, response)
        else response.end()
        return
      case 'exec': {
        const id = `exec${++this.#count}`
        this.#execs.set(id, { container: container.id, words: (body as { Cmd: string[] }).Cmd, exitCode: null })
        return void send({ Id: id }, 201)
      }
      default:
        throw new Refusal(404, `page not found: ${verb}`)
    }
  }

  #network([name]: string[], body: unknown, send: Call['send']): void {
    if (name === 'create') {
      this.networks.set((body as { Name: string }).Name, body)
      return void send({ Id: 'net' }, 201)
    }
    const network = this.networks.get(name ?? '')
    if (!network) throw new Refusal(404, `network ${name} not found`)
    send(network)
  }

  #image(path: string, query: URLSearchParams, response: ServerResponse, send: Call['send']): void {
    if (path === 'json') {
      const size = (tag: string) => this.sizes.get(tag) ?? 4
      return void send([...this.images].map((tag) => ({ Id: idOf(tag), RepoTags: [tag], Size: size(tag) })))
    }
    if (path === 'create') {
      const reference = `${query.get('fromImage')}:${query.get('tag')}`
      this.pulled.push(reference)
      response.writeHead(200).write('{"status":"Pulling"}\n')
      if (!reference.startsWith('broken')) {
        this.images.add(reference)
        return void response.end('{"status":"done"}\n')
      }
      const message = `pull access denied for ${reference}`
      return void response.end(`${JSON.stringify({ errorDetail: { message }, error: message })}\n`)
    }
    const reference = path.replace(/\/json$/, '')
    const known = [...this.images].find((tag) => tag === reference || idOf(tag) === reference)
    if (!known) throw new Refusal(404, `No such image: ${reference}`)
    send({ Id: idOf(known), RepoTags: [known], RepoDigests: [], Size: 4_000_000, Config: { User: '' } })
  }

  #create(name: string, body: ContainerCreate): unknown {
    if ([...this.containers.values()].some((one) => one.name === name)) {
      throw new Refusal(409, `Conflict. The container name "/${name}" is already in use`)
    }
    if (!this.images.has(body.Image)) throw new Refusal(404, `No such image: ${body.Image}`)
    if (body.HostConfig.NanoCpus === 666_000_000) throw new Refusal(400, 'this engine cannot limit CPUs')
    const number = ++this.#count
    const id = number.toString(16).padStart(64, '0')
    const joins = body.HostConfig.NetworkMode.startsWith('container:')
    const state = {
      Status: 'created',
      Running: false,
      Pid: 0,
      ExitCode: 0,
      Error: '',
      StartedAt: never,
      FinishedAt: never,
    }
    this.containers.set(id, {
      id,
      name,
      body,
      state: state as FakeContainer['state'],
      createdAt: new Date(),
      ip: joins ? '' : `127.0.0.${number % 254}`,
      output: '',
      signals: [],
    })
    return { Id: id, Warnings: [] }
  }

  #start(container: FakeContainer): void {
    const [program, exitCode, ...words] = wordsOf(container.body)
    if (program === 'missing') {
      const error = 'exec: "missing": executable file not found in $PATH'
      Object.assign(container.state, { ExitCode: 127, Error: error })
      throw new Refusal(400, error)
    }
    Object.assign(container.state, { Status: 'running', Running: true, Pid: 42, StartedAt: now(), FinishedAt: never })
    this.#tell('start', container)
    if (program !== 'exit') return
    container.output += words.join(' ')
    setImmediate(() => this.end(container, Number(exitCode)))
  }

  async #stop(container: FakeContainer, seconds: number): Promise<void> {
    container.signals.push('TERM')
    if (wordsOf(container.body)[0] !== 'stubborn') return this.end(container, 143)
    const deadline = Date.now() + seconds * 1000
    while (container.state.Running && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5))
    this.end(container, 137)
  }

  #remove(container: FakeContainer): unknown {
    this.containers.delete(container.id)
    container.state.Running = false
    this.#tell('destroy', container)
    return undefined
  }

  #list(query: URLSearchParams): unknown {
    const { label = [] } = JSON.parse(query.get('filters') ?? '{}') as { label?: string[] }
    const matching = [...this.containers.values()].filter(({ body }) =>
      label.every((one) => {
        const [key = '', value] = one.split('=')
        return body.Labels[key] === value
      }),
    )
    return matching.map(({ id, name, body, state, createdAt, ip }) => ({
      Id: id,
      Names: [`/${name}`],
      Image: body.Image,
      ImageID: idOf(body.Image),
      Created: Math.floor(createdAt.getTime() / 1000),
      State: state.Status,
      Labels: body.Labels,
      HostConfig: { NetworkMode: body.HostConfig.NetworkMode },
      NetworkSettings: { Networks: ip && state.Running ? { [body.HostConfig.NetworkMode]: { IPAddress: ip } } : {} },
    }))
  }

  #inspect({ id, body, state, createdAt }: FakeContainer): unknown {
    return {
      Id: id,
      Created: createdAt.toISOString(),
      Image: idOf(body.Image),
      State: state,
      Config: { Image: body.Image, Tty: body.Tty ?? false },
    }
  }

  #inspectExec(id: string): unknown {
    return { Running: false, ExitCode: this.#execs.get(id)?.exitCode }
  }

  #events(response: ServerResponse): void {
    response.writeHead(200).flushHeaders()
    const listener = (line: string): unknown => response.write(line)
    this.#listeners.add(listener)
    response.on('close', () => this.#listeners.delete(listener))
  }

  #tell(action: string, { id, body }: FakeContainer): void {
    const event = { Type: 'container', Action: action, Actor: { ID: id, Attributes: body.Labels } }
    for (const listener of this.#listeners) listener(`${JSON.stringify(event)}\n`)
  }

  /** Execs, and attaching; the latter finds `endsEarly` just ended, and waits for a next run as a real engine does. */
  async #hijack(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    await this.#awake()
    const attached = this.containers.get(/\/containers\/(.*)\/attach/.exec(request.url ?? '')?.[1] ?? '')
    if (attached) {
      if (wordsOf(attached.body)[0] === 'endsEarly') this.end(attached, 0)
      socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n')
      socket.on('error', () => socket.destroy()).on('end', () => socket.end())
      if (request.url?.includes('logs=1')) socket.write(outputOf(attached, attached.output))
      this.#listen(attached, socket)
      return void socket.resume()
    }
    const id = /\/exec\/(.*)\/start/.exec(request.url ?? '')?.[1] ?? ''
    const exec = this.#execs.get(id)
    socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n')
    // The JSON body of the request comes first on the connection.
    let input: Buffer = head
    const length = Number(request.headers['content-length'] ?? 0)
    const [program, exitCode = '0', ...words] = exec?.words ?? []
    this.executed.push(exec?.words ?? [])
    if (program === 'cat') {
      // Not `for await`: it would close the connection for writing, too, when the input ends.
      socket.on('data', (chunk: Buffer) => (input = Buffer.concat([input, chunk])))
      await once(socket, 'end')
      socket.write(frame('stdout', input.subarray(length)))
    } else if (words.length > 0) socket.write(frame('stdout', Buffer.from(words.join(' '))))
    if (exec) exec.exitCode = Number(exitCode)
    socket.end()
  }
}

interface Call {
  query: URLSearchParams
  body: unknown
  response: ServerResponse
  send: (value: unknown, status?: number) => unknown
}

class Refusal extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** With a terminal it is one stream of bytes. */
function outputOf({ body }: FakeContainer, text: string): Buffer {
  return body.Tty ? Buffer.from(text) : frame('stdout', Buffer.from(text))
}

function wordsOf({ Entrypoint = [], Cmd = [] }: ContainerCreate): string[] {
  return [...Entrypoint, ...Cmd]
}

function idOf(image: string): string {
  return `sha256:${Buffer.from(image).toString('hex')}`
}

function now(): string {
  return new Date().toISOString()
}

async function text(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}
