/**
 * /containers: the answers that take their time: attach, logs, wait, stats.
 */
import type { FastifyReply } from 'fastify'
import type { Duplex } from 'node:stream'
import type { Container, WaitCondition } from '../containers/container.ts'
import type { StreamName } from '../containers/log-format.ts'
import { LogReader, type LogQuery } from '../containers/log-reader.ts'
import { hasProcess, refusal } from '../containers/state.ts'
import { statsJson } from '../containers/stats.ts'
import { parseMoment } from '../containers/timestamps.ts'
import type { Deps } from './deps.ts'
import { badParameter, DockerError } from '@dinghy/shared/docker/errors'
import { openStream, isTrue, sendJson, type DockerRequest } from './request.ts'
import type { Router } from './router.ts'
import { multiplexedStream, rawStream } from './api-version.ts'
import { frame } from '@dinghy/shared/docker/stdcopy'

export function containerStreamRoutes(router: Router, deps: Deps): void {
  const { containers, clock } = deps
  const find = (request: DockerRequest): Container => containers.get(request.params['id'] ?? '')

  router.add('POST', '/containers/:id/wait', async (request, reply) => {
    const container = find(request)
    const condition = request.query.get('condition') || 'not-running'
    if (!['not-running', 'next-exit', 'removed'].includes(condition)) {
      throw badParameter(`invalid condition: "${condition}"`)
    }
    const waiting = container.wait(condition as WaitCondition, request.signal)
    // `docker run` starts the container only after it has seen these headers.
    const response = openStream(reply, 'application/json')
    const { exitCode, error } = await waiting
    response.end(
      `${JSON.stringify({ StatusCode: exitCode, ...(error !== undefined ? { Error: { Message: error } } : {}) })}\n`,
    )
  })

  router.add('POST', '/containers/:id/attach', async (request) => {
    const container = find(request)
    await attach(container, request)
    containers.publish(container, 'attach')
  })

  router.add('GET', '/containers/:id/logs', (request, reply) => sendLogs(deps, find(request), request, reply))

  router.add('GET', '/containers/:id/stats', async (request, reply) => {
    const container = find(request)
    const { query, signal } = request
    const isStream = query.get('stream') === null || isTrue(query.get('stream'))
    const sample = async () => {
      const { running } = container.state
      const usage =
        running !== undefined && container.spec !== undefined
          ? await containers.driver.usage(running, container.spec)
          : undefined
      return { usage, traffic: containers.networking.trafficOf(container), at: clock.now() }
    }
    let previous = isTrue(query.get('one-shot')) ? undefined : await sample()
    if (!isStream) {
      if (previous !== undefined && hasProcess(container.state.status)) await clock.sleep(1000, signal)
      sendJson(reply, 200, statsJson(container, await sample(), previous))
      return
    }
    const response = openStream(reply, 'application/json')
    while (!signal.aborted && containers.list().includes(container)) {
      const current = await sample()
      response.write(`${JSON.stringify(statsJson(container, current, previous))}\n`)
      previous = current
      await clock.sleep(1000, signal)
    }
    response.end()
  })
}

async function attach(container: Container, request: DockerRequest): Promise<void> {
  const { query } = request
  const refused = refusal('attach', container.state.status, container.id, container.name)
  if (refused !== undefined) throw refused
  const { Tty, OpenStdin } = container.record.config
  const wanted = (['stdout', 'stderr'] as const).filter((stream) => isTrue(query.get(stream)))
  const socket = await request.hijack(Tty ? rawStream : multiplexedStream)
  const encode = (stream: StreamName, chunk: Buffer) => (Tty ? chunk : frame(stream, chunk))
  if (isTrue(query.get('logs')) && container.log !== undefined) {
    const all: LogQuery = { streams: wanted, since: undefined, until: undefined, tail: undefined }
    const reader = new LogReader(container.log, all, { raw: Tty, timestamps: false })
    for (let bytes = reader.next(); bytes !== undefined; bytes = reader.next()) socket.write(bytes)
    reader.close()
    // A prompt, say: nothing may be lost between what is in the log and what comes from now on.
    for (const stream of wanted) {
      const rest = container.log.unfinished.get(stream)
      if (rest !== undefined && rest.length > 0) socket.write(encode(stream, rest))
    }
  }
  if (!isTrue(query.get('stream'))) {
    socket.end()
    return
  }
  const gone = new AbortController()
  socket.on('close', () => gone.abort())
  socket.on('error', () => socket.destroy())
  container.attachments.subscribe(
    (stream, chunk) => {
      if (!wanted.includes(stream) || socket.destroyed) return
      if (!socket.write(encode(stream, chunk))) holdUntilDrained(container, socket)
    },
    () => socket.end(),
    gone.signal,
  )
  if (isTrue(query.get('stdin')) && OpenStdin) container.attachments.addInput(socket)
  // Without stdin the client half-closes at once: that must be read to be noticed, and does not end the output.
  else socket.resume()
}

function holdUntilDrained(container: Container, socket: Duplex): void {
  const { stdio } = container
  if (stdio === undefined) return
  stdio.hold()
  let isHeld = true
  const release = () => {
    if (isHeld) stdio.release()
    isHeld = false
  }
  socket.once('drain', release)
  socket.once('close', release)
}

function sendLogs(deps: Deps, container: Container, request: DockerRequest, reply: FastifyReply): void {
  const { query, signal } = request
  const streams = (['stdout', 'stderr'] as const).filter((stream) => isTrue(query.get(stream)))
  if (streams.length === 0) throw badParameter('Bad parameters: you must choose at least one stream')
  const { log } = container
  if (log === undefined) throw new DockerError(501, 'configured logging driver does not support reading')
  const now = deps.clock.now()
  const tail = query.get('tail') ?? 'all'
  const wanted: LogQuery = {
    streams,
    since: parseMoment(query.get('since'), now),
    until: parseMoment(query.get('until'), now),
    // Anything but a number means all, as in Docker.
    tail: /^\d+$/.test(tail) ? Number(tail) : undefined,
  }
  const isRaw = container.record.config.Tty
  const response = openStream(reply, isRaw ? rawStream : multiplexedStream)
  const reader = new LogReader(log, wanted, { raw: isRaw, timestamps: isTrue(query.get('timestamps')) })
  response.once('close', () => reader.close())
  const isFollowing = isTrue(query.get('follow')) && hasProcess(container.state.status)
  // Without following, what is written while we answer is not asked for any more.
  let limit = isFollowing ? undefined : log.end
  let isWaiting = false
  const waitIfFull = () => {
    if (isWaiting || response.writableLength < maxUnsentBytes) return isWaiting
    isWaiting = true
    response.once('drain', () => {
      isWaiting = false
      catchUp()
    })
    return true
  }
  const catchUp = () => {
    while (!response.destroyed && !response.writableEnded && !waitIfFull()) {
      const bytes = reader.next(limit)
      if (bytes === undefined) {
        if (limit !== undefined) response.end()
        return
      }
      response.write(bytes)
    }
  }
  catchUp()
  if (!isFollowing) return
  log.follow(
    (appended) => {
      if (response.destroyed || response.writableEnded || waitIfFull()) return // it is in the log, and will be read from there
      const bytes = reader.take(appended)
      if (bytes !== undefined) response.write(bytes)
      else catchUp()
    },
    () => {
      limit = log.end
      catchUp()
    },
    signal,
  )
  const { until } = wanted
  if (until === undefined) return
  const remainingMs = Math.max(0, Number(until / 1_000_000n) - now)
  deps.clock.sleep(remainingMs, signal).then(
    () => response.end(),
    () => undefined, // the client went first
  )
}

/** How much may wait for a client to read it before we wait, too. */
const maxUnsentBytes = 512 * 1024
