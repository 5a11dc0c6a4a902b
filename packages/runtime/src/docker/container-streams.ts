/**
 * /containers: the answers that take their time: attach, logs, wait, stats.
 */
import type { FastifyReply } from 'fastify'
import { attach } from '../containers/attach.ts'
import type { Container, WaitCondition } from '../containers/container.ts'
import { parseDetachKeys } from '../containers/detach-keys.ts'
import { logDetails } from '../containers/log-attributes.ts'
import { LogReader, type LogQuery } from '../containers/log-reader.ts'
import { hasProcess, refusal } from '../containers/state.ts'
import { statsJson } from '../containers/stats.ts'
import { parseMoment } from '../timestamps.ts'
import type { Clock } from '@dinghy/shared/api/clock'
import type { Deps } from './deps.ts'
import { badParameter, DockerError } from '@dinghy/shared/docker/errors'
import { openStream, isTrue, sendJson, type DockerRequest } from './request.ts'
import type { Router } from './router.ts'
import { multiplexedStream, rawStream } from './api-version.ts'

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
    const onDetach = () => containers.publish(container, 'detach')
    await attachClient(container, request, clock, onDetach)
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

/**
 * docker-py reads the socket past the headers and loses what has come with them. dockerd's replay takes its time, so
 * that they come alone there.
 */
const replayDelayMs = 20

async function attachClient(
  container: Container,
  request: DockerRequest,
  clock: Clock,
  onDetach: () => void,
): Promise<void> {
  const { query } = request
  const refused = refusal('attach', container.state.status, container.id, container.name)
  if (refused !== undefined) throw refused
  const detachKeys = parseDetachKeys(query.get('detachKeys') ?? '')
  const socket = await request.hijack(container.record.config.Tty ? rawStream : multiplexedStream)
  if (isTrue(query.get('logs')) && container.state.status !== 'created') await clock.sleep(replayDelayMs)
  attach(container, socket, {
    streams: (['stdout', 'stderr'] as const).filter((stream) => isTrue(query.get(stream))),
    stdin: isTrue(query.get('stdin')),
    logs: isTrue(query.get('logs')),
    stream: isTrue(query.get('stream')),
    detachKeys,
    onDetach,
  })
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
  const reader = new LogReader(log, wanted, {
    raw: isRaw,
    timestamps: isTrue(query.get('timestamps')),
    ...(isTrue(query.get('details')) ? { details: `${logDetails(container.record)} ` } : {}),
  })
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
      // What is not sent now is in the log, and will be read from there.
      if (response.destroyed || response.writableEnded || waitIfFull()) return
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
