/**
 * The pod sandbox: one container that does nothing but hold the pod's address, hostname and IPC namespace, so that the
 * pod's own containers can come and go. Pure. Follows cri-dockerd's sandbox.
 */

import type { Pod } from '@dinghy/shared/api/types'
import type { ContainerCreate, HostConfig } from '@dinghy/shared/docker/types'
import { sandboxLabels } from '../observed/labels.ts'
import { podDns, type DnsSettings } from './pod-dns.ts'

export interface SandboxFacts {
  pod: Pod
  node: string
  nodeAddress: string
  /** The Docker network of this node's pods. */
  network: string
  image: string
  attempt: number
  dns: DnsSettings
}

export function sandboxConfig({ pod, node, nodeAddress, network, image, attempt, dns }: SandboxFacts): ContainerCreate {
  const { spec } = pod
  const ports = hostPorts(pod, nodeAddress)
  const sysctls = spec.securityContext?.sysctls ?? []
  return {
    Image: image,
    ...(spec.hostNetwork ? {} : { Hostname: hostnameOf(pod) }),
    Labels: sandboxLabels(pod, node, attempt),
    ...(ports ? { ExposedPorts: Object.fromEntries(Object.keys(ports).map((port) => [port, {}])) } : {}),
    HostConfig: {
      NetworkMode: spec.hostNetwork ? 'host' : network,
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

/**
 * A hostPort is a port of the *node*. All nodes share this machine, so it is opened on the node's address and not, as
 * a kubelet that has the machine to itself would do, on all of them.
 */
function hostPorts({ spec }: Pod, nodeAddress: string): HostConfig['PortBindings'] {
  if (spec.hostNetwork) return undefined
  const bindings: NonNullable<HostConfig['PortBindings']> = {}
  const containers = [
    ...(spec.initContainers ?? []).filter((one) => one.restartPolicy === 'Always'),
    ...spec.containers,
  ]
  for (const { containerPort, hostPort, hostIP, protocol = 'TCP' } of containers.flatMap(({ ports = [] }) => ports)) {
    if (!hostPort) continue
    const binding = { HostIp: !hostIP || hostIP === '0.0.0.0' ? nodeAddress : hostIP, HostPort: String(hostPort) }
    const key = `${containerPort}/${protocol.toLowerCase()}`
    bindings[key] = [...(bindings[key] ?? []), binding]
  }
  return Object.keys(bindings).length > 0 ? bindings : undefined
}
