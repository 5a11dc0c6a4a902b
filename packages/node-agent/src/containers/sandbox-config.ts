/**
 * The pod sandbox: one container that does nothing but hold the pod's address, hostname and IPC namespace, so that the
 * pod's own containers can come and go. Pure. Follows cri-dockerd's sandbox.
 */

import type { Pod } from '@dinghy/shared/api/types'
import type { ContainerCreate } from '@dinghy/shared/docker/types'
import type { SandboxNetwork } from '../network/pod-network.ts'
import { sandboxLabels } from '../observed/labels.ts'
import { podDns, type DnsSettings } from './pod-dns.ts'

export interface SandboxFacts {
  pod: Pod
  node: string
  network: SandboxNetwork
  image: string
  attempt: number
  dns: DnsSettings
}

export function sandboxConfig({ pod, node, network, image, attempt, dns }: SandboxFacts): ContainerCreate {
  const { spec } = pod
  const { mode, ports, labels } = network
  const sysctls = spec.securityContext?.sysctls ?? []
  return {
    Image: image,
    ...(spec.hostNetwork ? {} : { Hostname: hostnameOf(pod) }),
    Labels: { ...sandboxLabels(pod, node, attempt), ...labels },
    ...(ports ? { ExposedPorts: Object.fromEntries(Object.keys(ports).map((port) => [port, {}])) } : {}),
    HostConfig: {
      NetworkMode: mode,
      IpcMode: spec.hostIPC ? 'host' : 'shareable',
      ...(spec.hostPID ? { PidMode: 'host' } : {}),
      ...(ports ? { PortBindings: ports } : {}),
      ...podDns(pod, dns),
      ...(sysctls.length > 0 ? { Sysctls: Object.fromEntries(sysctls.map(({ name, value }) => [name, value])) } : {}),
    },
  }
}

/** A host name has at most 63 characters, and a pod name may have more. */
export function hostnameOf({ spec, metadata }: Pod): string {
  return spec.hostname ?? metadata.name.slice(0, 63).replace(/[-.]+$/, '')
}
