/**
 * A small client of the Docker Engine API over its unix socket: one method for each call that a node agent makes.
 *
 * Callers may rely on: every refusal is a DockerError with the engine's own message and HTTP status; an engine that
 * is not there, or that does not answer in time, is a DockerError with status 0; aborting the signal ends the call. A
 * stream has to begin in time, and may then take as long as it likes. Nothing is retried here. The same calls work
 * against Docker itself: nothing in this file knows which engine answers.
 */

import type { IncomingMessage } from 'node:http'
import { systemClock } from '@dinghy/shared/api/clock'
import { httpRequest, readJson, readLines, readText, type HttpResponse } from '@dinghy/shared/client/http'
import { withDeadline, type Deadline } from './deadline.ts'
import { DockerError, isDockerStatus } from './docker-error.ts'
import type {
  ContainerCreate,
  ContainerInspect,
  ContainerStats,
  ContainerSummary,
  DockerEvent,
  DockerInfo,
  DockerVersion,
  ImageInspect,
  ImageSummary,
} from './docker-types.ts'
import { hijack, type HijackedStream } from './hijack.ts'
import { parseImageReference } from './image-reference.ts'

type Query = Record<string, string | number | boolean | object | undefined>

export interface LogQuery {
  follow?: boolean
  /** "all" or a number of lines. */
  tail?: string
  /** Seconds since the epoch, with a fraction. */
  since?: string
  timestamps?: boolean
}

export interface AttachStreams {
  stdin: boolean
  stdout: boolean
  stderr: boolean
  tty: boolean
}

/** The oldest API version that has everything used here; every engine since Docker 19.03 speaks it. */
const apiVersion = '/v1.40'

/** Upstream's --runtime-request-timeout. */
const defaultDeadline: Deadline = { clock: systemClock, timeoutMs: 120_000 }

export class DockerClient {
  readonly socketPath: string
  readonly #deadline: Deadline

  constructor(socketPath: string, deadline = defaultDeadline) {
    this.socketPath = socketPath
    this.#deadline = deadline
  }

  async ping(signal?: AbortSignal): Promise<void> {
    await this.#text('GET', '/_ping', {}, signal)
  }

  async version(signal?: AbortSignal): Promise<DockerVersion> {
    return await this.#json('GET', '/version', {}, undefined, signal)
  }

  async info(signal?: AbortSignal): Promise<DockerInfo> {
    return await this.#json('GET', '/info', {}, undefined, signal)
  }

  async hasNetwork(name: string, signal?: AbortSignal): Promise<boolean> {
    try {
      await this.#text('GET', `/networks/${encodeURIComponent(name)}`, {}, signal)
      return true
    } catch (error) {
      if (isDockerStatus(error, 404)) return false
      throw error
    }
  }

  async createNetwork(
    network: { name: string; driver: string; subnet: string; gateway: string; labels: Record<string, string> },
    signal?: AbortSignal,
  ): Promise<void> {
    const body = {
      Name: network.name,
      Driver: network.driver,
      CheckDuplicate: true,
      IPAM: { Driver: 'default', Config: [{ Subnet: network.subnet, Gateway: network.gateway }] },
      Labels: network.labels,
    }
    await this.#json('POST', '/networks/create', {}, body, signal)
  }

  /** undefined when the engine does not have it. */
  async inspectImage(reference: string, signal?: AbortSignal): Promise<ImageInspect | undefined> {
    try {
      return await this.#json('GET', `/images/${reference}/json`, {}, undefined, signal)
    } catch (error) {
      if (isDockerStatus(error, 404)) return undefined
      throw error
    }
  }

  async listImages(signal?: AbortSignal): Promise<ImageSummary[]> {
    return await this.#json('GET', '/images/json', {}, undefined, signal)
  }

  /** Resolves when the pull has succeeded. Docker reports most failures inside a 200 stream: they are thrown too. */
  async pullImage(reference: string, signal?: AbortSignal): Promise<void> {
    const { name, tag, digest } = parseImageReference(reference) ?? { name: reference }
    const query = { fromImage: name, tag: digest ?? tag }
    const response = await this.#send('POST', '/images/create', query, undefined, signal)
    for await (const line of readLines(response.body)) {
      const progress = JSON.parse(line) as { error?: string; errorDetail?: { message?: string } }
      const message = progress.errorDetail?.message ?? progress.error
      if (message !== undefined) throw new DockerError(500, message)
    }
  }

  async listContainers(labels: string[], signal?: AbortSignal): Promise<ContainerSummary[]> {
    return await this.#json('GET', '/containers/json', { all: 1, filters: { label: labels } }, undefined, signal)
  }

  async inspectContainer(id: string, signal?: AbortSignal): Promise<ContainerInspect> {
    return await this.#json('GET', `/containers/${id}/json`, {}, undefined, signal)
  }

  async createContainer(
    name: string,
    body: ContainerCreate,
    signal?: AbortSignal,
  ): Promise<{ id: string; warnings: string[] }> {
    const created = await this.#json<{ Id: string; Warnings?: string[] | null }>(
      'POST',
      '/containers/create',
      { name },
      body,
      signal,
    )
    return { id: created.Id, warnings: created.Warnings ?? [] }
  }

  async startContainer(id: string, signal?: AbortSignal): Promise<void> {
    await this.#text('POST', `/containers/${id}/start`, {}, signal)
  }

  /** SIGTERM (or the image's STOPSIGNAL), then SIGKILL after the grace. Resolves when the container has exited. */
  async stopContainer(id: string, graceSeconds: number, signal?: AbortSignal): Promise<void> {
    await this.#text('POST', `/containers/${id}/stop`, { t: graceSeconds }, signal, graceSeconds * 1000)
  }

  async killContainer(id: string, signalName: string, signal?: AbortSignal): Promise<void> {
    await this.#text('POST', `/containers/${id}/kill`, { signal: signalName }, signal)
  }

  async waitContainer(id: string, signal?: AbortSignal): Promise<number> {
    const result = await this.#json<{ StatusCode: number }>('POST', `/containers/${id}/wait`, {}, undefined, signal)
    return result.StatusCode
  }

  /** Removing what is not there is fine: it is what we wanted. */
  async removeContainer(id: string, signal?: AbortSignal): Promise<void> {
    try {
      await this.#text('DELETE', `/containers/${id}`, { force: 1, v: 1 }, signal)
    } catch (error) {
      // 409: somebody else's removal is under way.
      if (!isDockerStatus(error, 404, 409)) throw error
    }
  }

  /** Stdcopy frames, or raw bytes when the container has a tty. */
  async logs(id: string, query: LogQuery, signal?: AbortSignal): Promise<IncomingMessage> {
    const streams = { stdout: 1, stderr: 1 }
    const flags = { follow: query.follow ? 1 : undefined, timestamps: query.timestamps ? 1 : undefined }
    const range = { tail: query.tail, since: query.since }
    const path = `/containers/${id}/logs`
    return (await this.#send('GET', path, { ...streams, ...flags, ...range }, undefined, signal)).body
  }

  async stats(id: string, signal?: AbortSignal): Promise<ContainerStats> {
    const query = { stream: false, 'one-shot': true }
    return await this.#json('GET', `/containers/${id}/stats`, query, undefined, signal)
  }

  /** `logs`: what is in the log comes first. */
  async attach(id: string, options: AttachStreams & { logs?: boolean }, signal?: AbortSignal): Promise<HijackedStream> {
    const { logs = false, stdin, stdout, stderr } = options
    const query = { stream: 1, logs: bit(logs), stdin: bit(stdin), stdout: bit(stdout), stderr: bit(stderr) }
    return await this.#hijack(pathOf(`/containers/${id}/attach`, query), undefined, signal)
  }

  async resizeContainer(id: string, height: number, width: number): Promise<void> {
    await this.#text('POST', `/containers/${id}/resize`, { h: height, w: width })
  }

  async createExec(id: string, command: string[], streams: AttachStreams, signal?: AbortSignal): Promise<string> {
    const body = {
      AttachStdin: streams.stdin,
      AttachStdout: streams.stdout,
      AttachStderr: streams.stderr,
      Tty: streams.tty,
      Cmd: command,
    }
    return (await this.#json<{ Id: string }>('POST', `/containers/${id}/exec`, {}, body, signal)).Id
  }

  async startExec(execId: string, tty: boolean, signal?: AbortSignal): Promise<HijackedStream> {
    const body = JSON.stringify({ Detach: false, Tty: tty })
    return await this.#hijack(pathOf(`/exec/${execId}/start`, {}), body, signal)
  }

  async resizeExec(execId: string, height: number, width: number): Promise<void> {
    await this.#text('POST', `/exec/${execId}/resize`, { h: height, w: width })
  }

  async inspectExec(
    execId: string,
    signal?: AbortSignal,
  ): Promise<{ Running: boolean; ExitCode: number | null; Pid?: number }> {
    return await this.#json('GET', `/exec/${execId}/json`, {}, undefined, signal)
  }

  /** What happens to containers with these labels, until the connection ends or the signal aborts. */
  async *events(labels: string[], actions: string[], signal: AbortSignal): AsyncIterable<DockerEvent> {
    const filters = { type: ['container'], label: labels, event: actions }
    const response = await this.#send('GET', '/events', { filters }, undefined, signal)
    for await (const line of readLines(response.body)) yield JSON.parse(line) as DockerEvent
  }

  async #json<T>(method: string, path: string, query: Query, body?: unknown, signal?: AbortSignal): Promise<T> {
    return await withDeadline(this.#deadline, signal, async (limited) =>
      readJson<T>(await this.#answer(method, path, query, body, limited)),
    )
  }

  /** `extraMs`: how long the call may take by its nature. */
  async #text(method: string, path: string, query: Query, signal?: AbortSignal, extraMs = 0): Promise<string> {
    const { clock, timeoutMs } = this.#deadline
    return await withDeadline({ clock, timeoutMs: timeoutMs + extraMs }, signal, async (limited) =>
      readText(await this.#answer(method, path, query, undefined, limited)),
    )
  }

  /** For streams: the deadline is over when the headers are here. */
  async #send(
    method: string,
    path: string,
    query: Query,
    body: unknown,
    signal: AbortSignal | undefined,
  ): Promise<HttpResponse> {
    return await withDeadline(this.#deadline, signal, (limited) => this.#answer(method, path, query, body, limited))
  }

  async #hijack(path: string, body: string | undefined, signal: AbortSignal | undefined): Promise<HijackedStream> {
    return await withDeadline(this.#deadline, signal, (limited) => hijack(this.socketPath, path, body, limited))
  }

  async #answer(method: string, path: string, query: Query, body: unknown, signal: AbortSignal): Promise<HttpResponse> {
    const response = await this.#request(method, pathOf(path, query), body, signal)
    if (response.status < 400) return response
    throw new DockerError(response.status, messageOf(await readText(response)))
  }

  async #request(method: string, path: string, body: unknown, signal: AbortSignal | undefined): Promise<HttpResponse> {
    try {
      return await httpRequest({
        method,
        url: { socketPath: this.socketPath, path },
        headers: { Host: 'docker', ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal ? { signal } : {}),
      })
    } catch (error) {
      if (signal?.aborted) throw error
      throw new DockerError(0, `cannot reach the container runtime: ${(error as Error).message}`, { cause: error })
    }
  }
}

function pathOf(path: string, query: Query): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) search.set(name, typeof value === 'object' ? JSON.stringify(value) : String(value))
  }
  return `${apiVersion}${path}${search.size > 0 ? `?${search}` : ''}`
}

function bit(value: boolean): 1 | undefined {
  return value ? 1 : undefined
}

function messageOf(text: string): string {
  if (!text.startsWith('{')) return text.trim()
  return (JSON.parse(text) as { message?: string }).message ?? text
}
