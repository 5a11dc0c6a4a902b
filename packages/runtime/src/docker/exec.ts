/**
 * /exec: create, start, inspect, resize.
 */
import type { Duplex } from 'node:stream'
import type { ExecProcess } from '../drivers/driver.ts'
import { untilDetached } from '../containers/detach-keys.ts'
import type { Exec, ExecRequest } from '../containers/exec.ts'
import { execShape } from './body-shape.ts'
import type { Deps } from './deps.ts'
import { conflict } from '@dinghy/shared/docker/errors'
import { messageOf } from '@dinghy/shared/api/message-of'
import { sizeOf } from './containers.ts'
import { sendEmpty, sendJson, type DockerRequest } from './request.ts'
import type { Router } from './router.ts'
import { multiplexedStream, rawStream } from './api-version.ts'
import { frame } from '@dinghy/shared/docker/stdcopy'

export function execRoutes(router: Router, { containers, execs }: Deps): void {
  const find = (request: DockerRequest): Exec => execs.get(request.params['id'] ?? '')

  router.add('POST', '/containers/:id/exec', async (request, reply) => {
    const container = containers.get(request.params['id'] ?? '')
    const exec = execs.create(container, await request.json<ExecRequest>(execShape))
    sendJson(reply, 201, { Id: exec.id })
  })

  router.add('POST', '/exec/:id/start', async (request, reply) => {
    const exec = find(request)
    const {
      Detach = false,
      Tty = false,
      ConsoleSize,
    } = await request.json<{
      Detach?: boolean
      Tty?: boolean
      ConsoleSize?: [number, number] | null
    }>(execShape)
    if (ConsoleSize) exec.request.ConsoleSize = ConsoleSize
    if (Detach) {
      discard(await execs.start(exec))
      sendEmpty(reply, 200)
      return
    }
    execs.check(exec)
    const socket = await request.hijack(Tty ? rawStream : multiplexedStream)
    try {
      connect(await execs.start(exec), exec, socket, { isRaw: Tty, onDetach: () => execs.detached(exec) })
    } catch (error) {
      // The answer has begun: what could not be started is told as its output, and by its exit code.
      const text = Buffer.from(`${messageOf(error)}\r\n`)
      socket.end(Tty ? text : frame('stdout', text))
    }
  })

  router.add('GET', '/exec/:id/json', (request, reply) => {
    const { id, container, request: asked, command, running, exitCode, pid } = find(request)
    const [entrypoint = '', ...args] = command
    sendJson(reply, 200, {
      ID: id,
      Running: running,
      ExitCode: exitCode,
      ProcessConfig: {
        tty: asked.Tty ?? false,
        entrypoint,
        arguments: args,
        privileged: asked.Privileged ?? false,
        user: asked.User ?? '',
      },
      OpenStdin: asked.AttachStdin ?? false,
      OpenStderr: asked.AttachStderr ?? false,
      OpenStdout: asked.AttachStdout ?? false,
      CanRemove: false,
      ContainerID: container.id,
      DetachKeys: asked.DetachKeys ?? '',
      Pid: pid,
    })
  })

  router.add('POST', '/exec/:id/resize', async (request, reply) => {
    const { process, id } = find(request)
    if (process === undefined) throw conflict(`exec ${id} is not running`)
    await process.resize(...sizeOf(request))
    sendEmpty(reply, 200)
  })
}

function discard({ stdin, stdout, stderr }: ExecProcess): void {
  stdin?.end()
  stdout.resume()
  stderr?.resume()
}

/**
 * Pipes both ways until the process and its output have ended. A client that leaves does not end the process. `isRaw`
 * is what the start said of a terminal, as the headers say; the process has one if the create said so.
 */
function connect(
  process: ExecProcess,
  exec: Exec,
  socket: Duplex,
  { isRaw, onDetach }: { isRaw: boolean; onDetach: () => void },
): void {
  const { AttachStdin, AttachStdout, AttachStderr, Tty } = exec.request
  const outputs = [
    { stream: 'stdout', readable: process.stdout, attached: AttachStdout },
    { stream: 'stderr', readable: process.stderr, attached: AttachStderr },
  ] as const
  let open = 0
  for (const { stream, readable, attached } of outputs) {
    if (readable === undefined) continue
    if (!attached && !(Tty && stream === 'stdout')) {
      readable.resume()
      continue
    }
    open++
    readable.on('data', (chunk: Buffer) => {
      if (socket.destroyed || socket.writableEnded) return
      if (!socket.write(isRaw ? chunk : frame(stream, chunk))) {
        readable.pause()
        const resume = () => readable.resume()
        socket.once('drain', resume)
        socket.once('close', resume)
      }
    })
    readable.on('end', () => {
      if (--open === 0) endAfterExit()
    })
  }
  // The CLI asks for the exit code as soon as the connection ends, so the code has to be known by then.
  const endAfterExit = () => void process.exited.finally(() => socket.end())
  if (open === 0) endAfterExit()
  socket.on('error', () => socket.destroy())
  const { stdin } = process
  if (AttachStdin && stdin !== undefined) {
    const detach = () => {
      socket.end()
      onDetach()
    }
    const input = Tty ? untilDetached(socket, exec.detachKeys, detach) : socket
    // The program has closed its input.
    stdin.on('error', () => {
      input.unpipe(stdin)
      socket.resume()
    })
    input.pipe(stdin)
  } else {
    stdin?.end()
    socket.resume()
  }
}
