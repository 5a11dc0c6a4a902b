// The hands of the node agent: what it does to sandboxes and containers, and how it looks at them, through the engine.
//
// Callers may rely on: observe() asks the engine, every time, and remembers only what cannot have changed; what is made
// carries labels (containers/labels.ts) by which any later agent will know it.

import { readFile, writeFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Container, EphemeralContainer, Pod, Service } from '@dinghy/shared/api/types'
import { containerConfig } from '../containers/container-config.ts'
import type { PlaceFacts } from '../containers/downward.ts'
import { EnvError, makeEnvironment } from '../containers/env.ts'
import { hostsFile } from '../containers/etc-hosts.ts'
import type { ImagePuller, RecordEvent } from '../containers/image-puller.ts'
import { containerLabels, containerNameFor, label, sandboxNameFor } from '../containers/labels.ts'
import type { DnsSettings } from '../containers/pod-dns.ts'
import { hostnameOf, sandboxConfig } from '../containers/sandbox-config.ts'
import { ConfigError } from '../containers/security.ts'
import { serviceEnv } from '../containers/service-env.ts'
import { StartError } from '../containers/start-error.ts'
import { createMessageFile, messageFile, readMessage } from '../containers/termination-message.ts'
import type { DockerClient } from '../docker/docker-client.ts'
import { DockerError, isDockerStatus, isUnreachable } from '../docker/docker-error.ts'
import type { ContainerInspect, ContainerSummary, DockerMount, ImageInspect } from '../docker/docker-types.ts'
import { containerMounts } from '../volumes/mounts.ts'
import type { MountedVolumes, PodVolumes } from '../volumes/pod-volumes.ts'
import type { ReferencedObjects } from '../volumes/referenced-objects.ts'
import type { ContainerStart } from './container-actions.ts'
import {
  addressOf,
  isSandbox,
  newestFirst,
  readContainer,
  readSandbox,
  type ObservedContainer,
  type ObservedPod,
  type ObservedSandbox,
} from './observed-pod.ts'

export interface PodRuntimeOptions {
  docker: DockerClient
  images: ImagePuller
  volumes: PodVolumes
  objects: ReferencedObjects
  services: { list(): Service[] }
  node: string
  nodeAddress: string
  network: string
  sandboxImage: string
  dns: DnsSettings
  allocatable: Readonly<Record<string, string>>
}

interface Remembered {
  state: ContainerSummary['State']
  container: ObservedContainer
}

export class PodRuntime {
  readonly #options: PodRuntimeOptions
  /** By container id: what an inspect said, for as long as the list says that the state is the same. */
  readonly #inspected = new Map<string, Remembered>()
  /** Image id → how the API names it. */
  readonly #imageIds = new Map<string, string>()

  constructor(options: PodRuntimeOptions) {
    this.#options = options
  }

  async observe(podUid: string, signal?: AbortSignal): Promise<ObservedPod> {
    const summaries = await this.#options.docker.listContainers([`${label.podUid}=${podUid}`], signal)
    const containers = await Promise.all(
      summaries.filter((summary) => !isSandbox(summary)).map((summary) => this.#look(podUid, summary, signal)),
    )
    const sandboxes = await Promise.all(
      summaries.filter(isSandbox).map(async (summary) => {
        const isSilent =
          summary.State === 'running' && summary.HostConfig?.NetworkMode !== 'host' && !addressOf(summary)
        return readSandbox(summary, isSilent ? await this.#inspect(summary.Id, signal) : undefined)
      }),
    )
    return {
      sandboxes: sandboxes.sort((a, b) => b.attempt - a.attempt || b.createdAt - a.createdAt),
      containers: containers.filter((container) => container !== undefined).sort(newestFirst),
    }
  }

  /** An event said that something happened to it. */
  forgetContainer(id: string): void {
    this.#inspected.delete(id)
  }

  /** "docker-pullable://nginx@sha256:…" if the image came from a registry, else "docker://sha256:…". */
  imageIdOf(imageId: string): string {
    return this.#imageIds.get(imageId) ?? `docker://${imageId}`
  }

  placeOf(pod: Pod, sandbox: ObservedSandbox | undefined): PlaceFacts {
    const { nodeAddress, allocatable } = this.#options
    const ip = pod.spec.hostNetwork ? nodeAddress : sandbox?.ip
    return { podIPs: ip ? [ip] : [], hostIPs: [nodeAddress], allocatable }
  }

  async createSandbox(pod: Pod, attempt: number, signal: AbortSignal): Promise<void> {
    const { docker, node, nodeAddress, network, sandboxImage, dns } = this.#options
    const body = sandboxConfig({ pod, node, nodeAddress, network, image: sandboxImage, attempt, dns })
    const create = () => docker.createContainer(sandboxNameFor(pod, attempt), body, signal)
    const { id } = await create().catch(async (error: unknown) => {
      if (!isDockerStatus(error, 404)) throw error
      // 404 names a missing image here: the very first pod of this engine.
      await docker.pullImage(sandboxImage, signal)
      return await create()
    })
    try {
      await docker.startContainer(id, signal)
    } catch (error) {
      // A sandbox that did not start would be in the way of the next attempt.
      await docker.removeContainer(id)
      throw error
    }
  }

  /** Makes and starts a container. Throws StartError with the reason that the pod shall show. */
  async startContainer(
    pod: Pod,
    start: ContainerStart,
    facts: { sandbox: ObservedSandbox; volumes: MountedVolumes; targetId: string | undefined },
    record: RecordEvent,
    signal: AbortSignal,
  ): Promise<string> {
    const { docker, images } = this.#options
    const { container } = start
    const image = await images.ensure(pod, container, record, signal)
    this.#rememberImage(image)
    const body = await this.#config(pod, start, facts, image.Config?.User ?? '', record)
    const name = containerNameFor(pod, container.name, start.restartCount)
    const id = await this.#create(name, body, record, signal)
    record('Normal', 'Created', `Created container: ${container.name}`)
    try {
      await docker.startContainer(id, signal)
    } catch (error) {
      if (signal.aborted || isUnreachable(error)) throw error
      const message = `failed to start container "${container.name}": ${(error as Error).message}`
      record('Warning', 'Failed', `Error: ${message}`)
      throw new StartError('RunContainerError', message, { cause: error })
    }
    record('Normal', 'Started', `Started container ${container.name}`)
    return id
  }

  async remove(id: string, signal?: AbortSignal): Promise<void> {
    await this.#options.docker.removeContainer(id, signal)
    this.#inspected.delete(id)
  }

  async #look(
    podUid: string,
    summary: ContainerSummary,
    signal: AbortSignal | undefined,
  ): Promise<ObservedContainer | undefined> {
    const remembered = this.#inspected.get(summary.Id)
    if (remembered?.state === summary.State) return remembered.container
    const inspect = await this.#inspect(summary.Id, signal)
    if (!inspect) return undefined
    const container = readContainer(summary, inspect)
    await this.#learnImage(container.imageId, signal)
    if (container.state === 'exited') {
      const directory = this.#options.volumes.podDirectory(podUid)
      const message = await readMessage(this.#options.docker, directory, container)
      if (message) container.message = message
    }
    this.#inspected.set(summary.Id, { state: inspect.State.Status, container })
    return container
  }

  /** A container that an earlier agent started: its image is known to the engine only. */
  async #learnImage(imageId: string, signal: AbortSignal | undefined): Promise<void> {
    if (this.#imageIds.has(imageId)) return
    const image = await this.#options.docker.inspectImage(imageId, signal)
    if (image) this.#rememberImage(image)
  }

  #rememberImage({ Id, RepoDigests }: ImageInspect): void {
    const [digest] = RepoDigests ?? []
    this.#imageIds.set(Id, digest ? `docker-pullable://${digest}` : `docker://${Id}`)
  }

  /** undefined: removed between the list and now. */
  async #inspect(id: string, signal: AbortSignal | undefined): Promise<ContainerInspect | undefined> {
    try {
      return await this.#options.docker.inspectContainer(id, signal)
    } catch (error) {
      if (isDockerStatus(error, 404)) return undefined
      throw error
    }
  }

  /** Everything that can be wrong with the definition itself becomes CreateContainerConfigError. */
  async #config(
    pod: Pod,
    start: ContainerStart,
    facts: { sandbox: ObservedSandbox; volumes: MountedVolumes; targetId: string | undefined },
    imageUser: string,
    record: RecordEvent,
  ) {
    const { node } = this.#options
    const { container, restartCount, crashLoopDelayMs } = start
    const { sandbox, volumes, targetId } = facts
    try {
      const variables = this.#variables(pod, container, sandbox, record)
      const hostname = pod.spec.hostNetwork ? node : hostnameOf(pod)
      const mounts = [
        ...(await containerMounts(container, volumes.paths, variables)),
        ...(await this.#ownMounts(pod, start, sandbox, hostname)),
      ]
      const labels = containerLabels(pod, container, {
        node,
        sandboxId: sandbox.id,
        restartCount,
        crashLoopDelayMs,
      })
      return containerConfig({
        pod,
        container,
        sandboxId: sandbox.id,
        hostname,
        variables,
        mounts,
        labels,
        imageUser,
        ...(targetId ? { targetId } : {}),
      })
    } catch (error) {
      if (!(error instanceof EnvError || error instanceof ConfigError)) throw error
      record('Warning', 'Failed', `Error: ${error.message}`)
      throw new StartError('CreateContainerConfigError', error.message, { cause: error })
    }
  }

  #variables(
    pod: Pod,
    container: Container | EphemeralContainer,
    sandbox: ObservedSandbox,
    record: RecordEvent,
  ): ReadonlyMap<string, string> {
    const { objects, services } = this.#options
    const namespace = pod.metadata.namespace ?? 'default'
    const { variables, skipped } = makeEnvironment(pod, container, {
      ...this.placeOf(pod, sandbox),
      configMap: (name) => objects.configMap(namespace, name),
      secret: (name) => objects.secret(namespace, name),
      serviceEnv: serviceEnv(services.list(), namespace, pod.spec.enableServiceLinks ?? true),
    })
    for (const { source, keys } of skipped) {
      const message = `Keys [${keys.join(', ')}] from the EnvFrom ${source} were skipped since they are considered invalid environment variable names.`
      record('Warning', 'InvalidEnvironmentVariableNames', message)
    }
    return variables
  }

  /** The files that every container gets, unless it mounts something of its own there. */
  async #ownMounts(
    pod: Pod,
    { container, restartCount }: ContainerStart,
    sandbox: ObservedSandbox,
    hostname: string,
  ): Promise<DockerMount[]> {
    const directory = this.#options.volumes.podDirectory(pod.metadata.uid)
    const taken = new Set((container.volumeMounts ?? []).map(({ mountPath }) => mountPath))
    const mounts: DockerMount[] = []
    const messagePath = container.terminationMessagePath ?? '/dev/termination-log'
    if (messagePath !== '' && !taken.has(messagePath)) {
      const source = messageFile(directory, container.name, restartCount)
      await createMessageFile(source)
      mounts.push({ Type: 'bind', Source: source, Target: messagePath })
    }
    if (!taken.has('/etc/hosts')) {
      const source = join(directory, 'etc-hosts')
      const [podIP = ''] = this.placeOf(pod, sandbox).podIPs
      const machineHosts = pod.spec.hostNetwork ? await readFile('/etc/hosts', 'utf8') : ''
      await mkdir(directory, { recursive: true })
      await writeFile(source, hostsFile(pod, { podIP, hostname, machineHosts }), { mode: 0o644 })
      mounts.push({ Type: 'bind', Source: source, Target: '/etc/hosts' })
    }
    return mounts
  }

  async #create(
    name: string,
    body: ReturnType<typeof containerConfig>,
    record: RecordEvent,
    signal: AbortSignal,
  ): Promise<string> {
    try {
      const { id, warnings } = await this.#options.docker.createContainer(name, body, signal)
      // The engine will run it, but not quite as asked: the pod's owner must hear of that.
      for (const warning of warnings) record('Warning', 'RuntimeWarning', warning)
      return id
    } catch (error) {
      if (signal.aborted || !(error instanceof DockerError) || isUnreachable(error)) throw error
      record('Warning', 'Failed', `Error: ${error.message}`)
      throw new StartError('CreateContainerError', error.message, { cause: error })
    }
  }
}
