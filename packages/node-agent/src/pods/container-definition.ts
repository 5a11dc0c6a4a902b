/**
 * From a pod and one of its containers to the body of POST /containers/create: looks up what the definition refers to
 * (variables, Services, volumes) and writes the files that every container gets, then leaves the rest to
 * containers/container-config.ts.
 *
 * Callers may rely on: whatever is wrong with the definition itself becomes StartError CreateContainerConfigError.
 */

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Container, EphemeralContainer, Pod, Service } from '@dinghy/shared/api/types'
import { containerConfig } from '../containers/container-config.ts'
import type { PlaceFacts } from '../containers/downward.ts'
import { EnvError, makeEnvironment } from '../containers/env.ts'
import { hostsFile } from '../containers/etc-hosts.ts'
import type { RecordEvent } from '../containers/image-puller.ts'
import { containerLabels } from '../observed/labels.ts'
import { hostnameOf } from '../containers/sandbox-config.ts'
import { ConfigError } from '../containers/security.ts'
import { serviceEnv } from '../containers/service-env.ts'
import { StartError } from '../containers/start-error.ts'
import { createMessageFile, messageFile } from '../containers/termination-message.ts'
import type { ContainerCreate, DockerMount } from '@dinghy/shared/docker/types'
import { containerMounts, mountLabels } from '../volumes/mounts.ts'
import type { MountedVolumes } from '../volumes/pod-volumes.ts'
import type { ReferencedObjects } from '../volumes/referenced-objects.ts'
import type { ContainerStart } from './container-actions.ts'
import type { ObservedSandbox } from '../observed/observed-pod.ts'

/** What a container needs to know of its surroundings. */
export interface ContainerSurroundings {
  sandbox: ObservedSandbox
  volumes: MountedVolumes
  place: PlaceFacts
  /** The container whose processes a debugging container wants to see. */
  targetId: string | undefined
}

export interface ContainerDefinitionsDeps {
  objects: ReferencedObjects
  services: { list(): Service[] }
  podDirectory: (podUid: string) => string
  node: string
}

export class ContainerDefinitions {
  readonly #deps: ContainerDefinitionsDeps

  constructor(deps: ContainerDefinitionsDeps) {
    this.#deps = deps
  }

  async define(
    pod: Pod,
    start: ContainerStart,
    surroundings: ContainerSurroundings,
    imageUser: string,
    record: RecordEvent,
  ): Promise<ContainerCreate> {
    const { node } = this.#deps
    const { container, restartCount, crashLoopDelayMs } = start
    const { sandbox, volumes, place, targetId } = surroundings
    try {
      const variables = this.#variables(pod, container, place, record)
      const hostname = pod.spec.hostNetwork ? node : hostnameOf(pod)
      const mounts = [
        ...(await containerMounts(container, volumes.paths, variables)),
        ...(await this.#ownMounts(pod, start, place, hostname)),
      ]
      const labels = containerLabels(pod, container, { node, sandboxId: sandbox.id, restartCount, crashLoopDelayMs })
      return containerConfig({
        pod,
        container,
        sandboxId: sandbox.id,
        hostname,
        variables,
        mounts,
        labels: { ...labels, ...mountLabels(container) },
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
    place: PlaceFacts,
    record: RecordEvent,
  ): ReadonlyMap<string, string> {
    const { objects, services } = this.#deps
    const namespace = pod.metadata.namespace ?? 'default'
    const { variables, skipped } = makeEnvironment(pod, container, {
      ...place,
      configMap: (name) => objects.configMap(namespace, name),
      secret: (name) => objects.secret(namespace, name),
      serviceEnv: serviceEnv(services.list(), namespace, pod.spec.enableServiceLinks ?? true),
    })
    for (const { source, keys } of skipped) {
      const reason = 'were skipped since they are considered invalid environment variable names.'
      const message = `Keys [${keys.join(', ')}] from the EnvFrom ${source} ${reason}`
      record('Warning', 'InvalidEnvironmentVariableNames', message)
    }
    return variables
  }

  /** The files that every container gets, unless it mounts something of its own there. */
  async #ownMounts(
    pod: Pod,
    { container, restartCount }: ContainerStart,
    { podIPs: [podIP = ''] }: PlaceFacts,
    hostname: string,
  ): Promise<DockerMount[]> {
    const directory = this.#deps.podDirectory(pod.metadata.uid)
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
      const machineHosts = pod.spec.hostNetwork ? await readFile('/etc/hosts', 'utf8') : ''
      await mkdir(directory, { recursive: true })
      await writeFile(source, hostsFile(pod, { podIP, hostname, machineHosts }), { mode: 0o644 })
      mounts.push({ Type: 'bind', Source: source, Target: '/etc/hosts' })
    }
    return mounts
  }
}
