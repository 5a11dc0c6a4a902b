/**
 * The hands of the node agent: they make and start sandboxes and containers, with everything that belongs to them.
 *
 * Callers may rely on: what is made carries labels (containers/labels.ts) by which any later agent will know it; a
 * container that cannot be had throws StartError with the reason that its pod shall show.
 */

import { readFile, writeFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Container, EphemeralContainer, Pod, Service } from '@dinghy/shared/api/types'
import { containerConfig } from '../containers/container-config.ts'
import type { PlaceFacts } from '../containers/downward.ts'
import { EnvError, makeEnvironment } from '../containers/env.ts'
import { hostsFile } from '../containers/etc-hosts.ts'
import type { ImagePuller, RecordEvent } from '../containers/image-puller.ts'
import { containerLabels, containerNameFor, sandboxNameFor } from '../observed/labels.ts'
import type { DnsSettings } from '../containers/pod-dns.ts'
import { hostnameOf, sandboxConfig } from '../containers/sandbox-config.ts'
import { ConfigError } from '../containers/security.ts'
import { serviceEnv } from '../containers/service-env.ts'
import { StartError } from '../containers/start-error.ts'
import { createMessageFile, messageFile } from '../containers/termination-message.ts'
import type { DockerClient } from '../docker/docker-client.ts'
import { DockerError, isDockerStatus, isUnreachable } from '@dinghy/shared/docker/errors'
import type { DockerMount } from '@dinghy/shared/docker/types'
import { containerMounts } from '../volumes/mounts.ts'
import type { MountedVolumes, PodVolumes } from '../volumes/pod-volumes.ts'
import type { ReferencedObjects } from '../volumes/referenced-objects.ts'
import type { ContainerStart } from './container-actions.ts'
import type { ObservedSandbox } from '../observed/observed-pod.ts'
import type { PodObserver } from './pod-observer.ts'

export interface ContainerMakerOptions {
  docker: DockerClient
  observer: PodObserver
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

export class ContainerMaker {
  readonly #options: ContainerMakerOptions

  constructor(options: ContainerMakerOptions) {
    this.#options = options
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
    const { docker, images, observer } = this.#options
    const { container } = start
    const image = await images.ensure(pod, container, record, signal)
    observer.rememberImage(image)
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
