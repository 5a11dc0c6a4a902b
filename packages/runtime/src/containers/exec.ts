/**
 * `docker exec`: processes added to a running container. Kept in memory only; they end with the runtime's pipes.
 */
import { randomHex } from '@dinghy/shared/api/ids'
import type { Clock } from '@dinghy/shared/api/clock'
import { badParameter, conflict, DockerError, notFound } from '@dinghy/shared/docker/errors'
import { messageOf } from '@dinghy/shared/api/message-of'
import type { ExecProcess, ProcessSpec } from '../drivers/driver.ts'
import type { Container } from './container.ts'
import type { Containers } from './containers.ts'
import { parseDetachKeys } from './detach-keys.ts'
import { environmentOf, privilegesOf, terminalEnv } from './runtime-spec.ts'
import { refusal } from './state.ts'

export interface ExecRequest {
  AttachStdin?: boolean
  AttachStdout?: boolean
  AttachStderr?: boolean
  Tty?: boolean
  Cmd?: string[]
  Env?: string[] | null
  WorkingDir?: string
  User?: string
  Privileged?: boolean
  DetachKeys?: string
  ConsoleSize?: [number, number] | null
}

export interface Exec {
  id: string
  container: Container
  request: ExecRequest
  command: string[]
  running: boolean
  exitCode: number | null
  pid: number
  process?: ExecProcess
  detachKeys: Buffer
}

/** A finished exec can be inspected for this long. */
const keepMs = 5 * 60_000

export class Execs {
  readonly #containers: Containers
  readonly #clock: Clock
  readonly #execs = new Map<string, Exec>()

  constructor(containers: Containers, clock: Clock) {
    this.#containers = containers
    this.#clock = clock
  }

  get(id: string): Exec {
    const exec = this.#execs.get(id)
    if (exec === undefined) throw notFound(`No such exec instance: ${id}`)
    return exec
  }

  create(container: Container, request: ExecRequest): Exec {
    const refused = refusal('exec', container.state.status, container.id, container.name)
    if (refused !== undefined) throw refused
    const command = request.Cmd ?? []
    if (command.length === 0) throw badParameter('No exec command specified')
    const exec: Exec = {
      id: randomHex(64),
      container,
      request,
      command,
      running: false,
      exitCode: null,
      pid: 0,
      detachKeys: parseDetachKeys(request.DetachKeys),
    }
    this.#execs.set(exec.id, exec)
    container.execIds.add(exec.id)
    this.#containers.publish(container, `exec_create: ${command.join(' ')}`, { execID: exec.id })
    return exec
  }

  /** Throws what stands against starting it. */
  check(exec: Exec): void {
    const { container } = exec
    if (exec.running || exec.exitCode !== null) throw conflict(`exec command ${exec.id} has already run`)
    const refused = refusal('exec', container.state.status, container.id, container.name)
    if (refused !== undefined) throw refused
  }

  /** Starts it; resolves when it runs. What cannot be started gets the exit code that Docker gives it. */
  async start(exec: Exec): Promise<ExecProcess> {
    const { container, request, command } = exec
    this.check(exec)
    const { running } = container.state
    if (running === undefined || container.spec === undefined) {
      throw conflict(`container ${container.id} is not running`)
    }
    exec.running = true
    this.#containers.publish(container, `exec_start: ${command.join(' ')}`, { execID: exec.id })
    try {
      const stdin = request.AttachStdin ?? false
      const process = await this.#containers.driver.exec(running, container.spec, this.#specOf(exec), stdin)
      exec.process = process
      exec.pid = process.pid
      process.exited.then(
        (code) => this.#ended(exec, code),
        () => this.#ended(exec, 255),
      )
      return process
    } catch (error) {
      const message = messageOf(error)
      this.#ended(exec, /permission denied/.test(message) ? 126 : 127)
      throw error instanceof DockerError
        ? new DockerError(
            400,
            message.replace(/^.*OCI runtime create failed: /, 'OCI runtime exec failed: exec failed: '),
          )
        : error
    }
  }

  /** Its client has left with the detach keys. */
  detached({ id, container }: Exec): void {
    this.#containers.publish(container, 'exec_detach', { execID: id })
  }

  /** Forgets the execs of a container that has been removed. */
  forget(container: Container): void {
    for (const id of container.execIds) this.#execs.delete(id)
  }

  #specOf({ container, request, command }: Exec): ProcessSpec {
    const { config, hostConfig } = container.record
    const base = container.spec?.process
    return {
      ...privilegesOf(hostConfig),
      ...(request.Privileged ? { privileged: true } : {}),
      args: command,
      env: environmentOf([...terminalEnv(request.Tty ?? false), ...(base?.env ?? config.Env), ...(request.Env ?? [])]),
      cwd: request.WorkingDir || config.WorkingDir || '/',
      user: request.User || config.User,
      tty: request.Tty ?? false,
      ...(request.ConsoleSize ? { consoleSize: request.ConsoleSize } : {}),
    }
  }

  #ended(exec: Exec, code: number): void {
    exec.running = false
    exec.exitCode = code
    delete exec.process
    this.#containers.publish(exec.container, 'exec_die', { execID: exec.id, exitCode: String(code) })
    this.#clock.setTimeout(() => {
      this.#execs.delete(exec.id)
      exec.container.execIds.delete(exec.id)
    }, keepMs)
  }
}
