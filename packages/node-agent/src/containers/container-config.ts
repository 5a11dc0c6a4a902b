/**
 * From a container's spec to the body of POST /containers/create. Pure: everything that had to be looked up (image,
 * environment, volumes) has been, and comes in as facts. Follows cri-dockerd.
 */

import { bytes, milliCpu } from '@dinghy/shared/api/quantity'
import type { Container, EphemeralContainer, Pod, ResourceRequirements } from '@dinghy/shared/api/types'
import type { ContainerCreate, DockerMount, HostConfig } from '@dinghy/shared/docker/types'
import { expandedCommand } from './env.ts'
import { securityOptions } from './security.ts'

/**
 * The runtime owns the log files, so it is told to rotate them as a kubelet does: containerLogMaxSize 10Mi, 5 files.
 */
const logConfig = { Type: 'json-file', Config: { 'max-size': String(10 * 1024 * 1024), 'max-file': '5' } }

export interface ContainerConfigFacts {
  pod: Pod
  container: Container | EphemeralContainer
  sandboxId: string
  /** The container whose processes a debugging container wants to see. */
  targetId?: string
  hostname: string
  variables: ReadonlyMap<string, string>
  mounts: DockerMount[]
  labels: Record<string, string>
  imageUser: string
}

export function containerConfig(facts: ContainerConfigFacts): ContainerCreate {
  const { pod, container, sandboxId, targetId, variables, mounts, labels } = facts
  const { entrypoint, cmd } = expandedCommand(container, variables)
  const security = securityOptions(pod, container, facts.imageUser)
  return {
    Image: container.image ?? '',
    Labels: labels,
    // The hostname belongs to the sandbox; a program that looks for it in its environment must find it all the same.
    Env: [...new Map([['HOSTNAME', facts.hostname], ...variables])].map(([name, value]) => `${name}=${value}`),
    ...(entrypoint ? { Entrypoint: entrypoint } : {}),
    ...(cmd ? { Cmd: cmd } : {}),
    ...(container.workingDir ? { WorkingDir: container.workingDir } : {}),
    ...(security.user === undefined ? {} : { User: security.user }),
    Tty: container.tty ?? false,
    OpenStdin: container.stdin ?? false,
    StdinOnce: container.stdinOnce ?? false,
    // Health is the business of probes; an image's own HEALTHCHECK would only cost time.
    Healthcheck: { Test: ['NONE'] },
    HostConfig: {
      NetworkMode: `container:${sandboxId}`,
      IpcMode: pod.spec.hostIPC ? 'host' : `container:${sandboxId}`,
      ...pidMode(pod, sandboxId, targetId),
      Mounts: mounts,
      LogConfig: logConfig,
      ...security.hostConfig,
      ...resourceOptions(container.resources),
    },
  }
}

function pidMode({ spec }: Pod, sandboxId: string, targetId: string | undefined): Pick<HostConfig, 'PidMode'> {
  if (spec.hostPID) return { PidMode: 'host' }
  if (targetId) return { PidMode: `container:${targetId}` }
  return spec.shareProcessNamespace ? { PidMode: `container:${sandboxId}` } : {}
}

/** Limits bound what a container may use; a CPU request is its weight when the CPUs are contended. */
function resourceOptions(
  resources: ResourceRequirements | undefined,
): Pick<HostConfig, 'NanoCpus' | 'CpuShares' | 'Memory'> {
  const { limits, requests } = resources ?? {}
  const cpuRequest = requests?.['cpu'] ?? limits?.['cpu']
  return {
    ...(limits?.['cpu'] ? { NanoCpus: milliCpu(limits['cpu']) * 1_000_000 } : {}),
    ...(cpuRequest ? { CpuShares: Math.max(2, Math.floor((milliCpu(cpuRequest) * 1024) / 1000)) } : {}),
    ...(limits?.['memory'] ? { Memory: memoryLimit(bytes(limits['memory'])) } : {}),
  }
}

/** Docker refuses smaller limits, Kubernetes does not; no limit stays none. */
function memoryLimit(wantedBytes: number): number {
  return wantedBytes === 0 ? 0 : Math.max(wantedBytes, 6 * 1024 * 1024)
}
