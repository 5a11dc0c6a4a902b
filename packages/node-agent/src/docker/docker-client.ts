/**
 * The calls of the Docker Engine API that a node agent makes, one method for each. What a DockerEngine promises holds
 * for them all: refusals are DockerErrors, calls have a deadline, aborting the signal ends them.
 */

import type { Readable } from 'node:stream'
import { DockerEngine, type EngineEvent, type HijackedStream } from '@dinghy/shared/docker/engine'
import { isDockerStatus } from '@dinghy/shared/docker/errors'
import { familiarRepository, parseReference, withDefaultTag } from '@dinghy/shared/docker/reference'
import type {
  ContainerCreate,
  ContainerInspect,
  ContainerStats,
  ContainerSummary,
  DockerInfo,
  DockerVersion,
  ImageInspect,
  ImageSummary,
} from '@dinghy/shared/docker/types'

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

export class DockerClient extends DockerEngine {
  async version(signal?: AbortSignal): Promise<DockerVersion> {
    return await this.json('GET', '/version', {}, signal)
  }

  async info(signal?: AbortSignal): Promise<DockerInfo> {
    return await this.json('GET', '/info', {}, signal)
  }

  async hasNetwork(name: string, signal?: AbortSignal): Promise<boolean> {
    return await this.exists(`/networks/${encodeURIComponent(name)}`, signal)
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
    await this.json('POST', '/networks/create', { body }, signal)
  }

  /** undefined when the engine does not have it. */
  async inspectImage(reference: string, signal?: AbortSignal): Promise<ImageInspect | undefined> {
    try {
      return await this.json('GET', `/images/${reference}/json`, {}, signal)
    } catch (error) {
      if (isDockerStatus(error, 404)) return undefined
      throw error
    }
  }

  async listImages(signal?: AbortSignal): Promise<ImageSummary[]> {
    return await this.json('GET', '/images/json', {}, signal)
  }

  /** Resolves when the pull has succeeded. Docker reports most failures inside a 200 stream: they are thrown too. */
  async pullImage(reference: string, signal?: AbortSignal): Promise<void> {
    const { tag, digest, ...repository } = withDefaultTag(parseReference(reference))
    const query = { fromImage: familiarRepository(repository), tag: digest ?? tag }
    for await (const _ of this.progress('/images/create', { query }, signal));
  }

  async listContainers(labels: string[], signal?: AbortSignal): Promise<ContainerSummary[]> {
    return await this.json('GET', '/containers/json', { query: { all: 1, filters: { label: labels } } }, signal)
  }

  async inspectContainer(id: string, signal?: AbortSignal): Promise<ContainerInspect> {
    return await this.json('GET', `/containers/${id}/json`, {}, signal)
  }

  async createContainer(
    name: string,
    body: ContainerCreate,
    signal?: AbortSignal,
  ): Promise<{ id: string; warnings: string[] }> {
    const created = await this.json<{ Id: string; Warnings?: string[] | null }>(
      'POST',
      '/containers/create',
      { query: { name }, body },
      signal,
    )
    return { id: created.Id, warnings: created.Warnings ?? [] }
  }

  async startContainer(id: string, signal?: AbortSignal): Promise<void> {
    await this.text('POST', `/containers/${id}/start`, {}, signal)
  }

  /** SIGTERM (or the image's STOPSIGNAL), then SIGKILL after the grace. Resolves when the container has exited. */
  async stopContainer(id: string, graceSeconds: number, signal?: AbortSignal): Promise<void> {
    await this.text(
      'POST',
      `/containers/${id}/stop`,
      { query: { t: graceSeconds }, lastsMs: graceSeconds * 1000 },
      signal,
    )
  }

  async killContainer(id: string, signalName: string, signal?: AbortSignal): Promise<void> {
    await this.text('POST', `/containers/${id}/kill`, { query: { signal: signalName } }, signal)
  }

  /** Removing what is not there is fine: it is what we wanted. */
  async removeContainer(id: string, signal?: AbortSignal): Promise<void> {
    try {
      await this.text('DELETE', `/containers/${id}`, { query: { force: 1, v: 1 } }, signal)
    } catch (error) {
      // 409: somebody else's removal is under way.
      if (!isDockerStatus(error, 404, 409)) throw error
    }
  }

  /** Stdcopy frames, or raw bytes when the container has a tty. */
  async logs(id: string, query: LogQuery, signal?: AbortSignal): Promise<Readable> {
    const streams = { stdout: 1, stderr: 1 }
    const flags = { follow: query.follow ? 1 : undefined, timestamps: query.timestamps ? 1 : undefined }
    const range = { tail: query.tail, since: query.since }
    const path = `/containers/${id}/logs`
    return (await this.request('GET', path, { query: { ...streams, ...flags, ...range } }, signal)).body
  }

  async stats(id: string, signal?: AbortSignal): Promise<ContainerStats> {
    const query = { stream: false, 'one-shot': true }
    return await this.json('GET', `/containers/${id}/stats`, { query }, signal)
  }

  /** `logs`: what is in the log comes first. */
  async attach(id: string, options: AttachStreams & { logs?: boolean }, signal?: AbortSignal): Promise<HijackedStream> {
    const { logs = false, stdin, stdout, stderr } = options
    const query = { stream: 1, logs: bit(logs), stdin: bit(stdin), stdout: bit(stdout), stderr: bit(stderr) }
    return await this.hijack(`/containers/${id}/attach`, { query }, signal)
  }

  async resizeContainer(id: string, height: number, width: number): Promise<void> {
    await this.text('POST', `/containers/${id}/resize`, { query: { h: height, w: width } })
  }

  async createExec(id: string, command: string[], streams: AttachStreams, signal?: AbortSignal): Promise<string> {
    const body = {
      AttachStdin: streams.stdin,
      AttachStdout: streams.stdout,
      AttachStderr: streams.stderr,
      Tty: streams.tty,
      Cmd: command,
    }
    return (await this.json<{ Id: string }>('POST', `/containers/${id}/exec`, { body }, signal)).Id
  }

  async startExec(execId: string, tty: boolean, signal?: AbortSignal): Promise<HijackedStream> {
    return await this.hijack(`/exec/${execId}/start`, { body: { Detach: false, Tty: tty } }, signal)
  }

  async resizeExec(execId: string, height: number, width: number): Promise<void> {
    await this.text('POST', `/exec/${execId}/resize`, { query: { h: height, w: width } })
  }

  async inspectExec(
    execId: string,
    signal?: AbortSignal,
  ): Promise<{ Running: boolean; ExitCode: number | null; Pid?: number }> {
    return await this.json('GET', `/exec/${execId}/json`, {}, signal)
  }

  /** What happens to containers with these labels, until the connection ends or the signal aborts. */
  async *events(labels: string[], actions: string[], signal: AbortSignal): AsyncIterable<EngineEvent> {
    yield* await this.subscribe({ type: ['container'], label: labels, event: actions }, signal)
  }
}

function bit(value: boolean): 1 | undefined {
  return value ? 1 : undefined
}
