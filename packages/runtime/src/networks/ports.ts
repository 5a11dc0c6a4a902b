/**
 * `-p`: what a client asked to publish, and the PortMap of inspect. Pure.
 */
import { badParameter } from '@dinghy/shared/docker/errors'

/** One entry of a PortMap, as the API writes it. */
export interface PortBinding {
  HostIp: string
  HostPort: string
}

export interface PublishRequest {
  containerPort: number
  protocol: 'tcp' | 'udp'
  /** Empty: all addresses. */
  hostIp: string
  /** 0: any free port. A range is a list of candidates. */
  hostPorts: number[]
}

/** "80/tcp", "80" or "53/udp". */
export function parsePort(text: string): { port: number; protocol: 'tcp' | 'udp' } {
  const [portText = '', protocol = 'tcp'] = text.split('/')
  const port = Number(portText)
  if (!/^\d+$/.test(portText) || port < 1 || port > 65_535) throw badParameter(`invalid port specification: "${text}"`)
  if (protocol !== 'tcp' && protocol !== 'udp') {
    throw badParameter(`invalid port specification: "${text}": only tcp and udp can be published here`)
  }
  return { port, protocol }
}

export function publishRequests(
  bindings: Record<string, PortBinding[] | null>,
  exposed: string[],
  publishAll: boolean,
): PublishRequest[] {
  const requests: PublishRequest[] = []
  for (const [key, list] of Object.entries(bindings)) {
    const { port, protocol } = parsePort(key)
    for (const { HostIp = '', HostPort = '' } of list ?? []) {
      requests.push({ containerPort: port, protocol, hostIp: HostIp, hostPorts: parseHostPorts(HostPort) })
    }
  }
  if (!publishAll) return requests
  for (const key of exposed) {
    const { port, protocol } = parsePort(key)
    const isPublished = requests.some((request) => request.containerPort === port && request.protocol === protocol)
    if (!isPublished) requests.push({ containerPort: port, protocol, hostIp: '', hostPorts: [0] })
  }
  return requests
}

function parseHostPorts(text: string): number[] {
  if (text === '') return [0]
  const [from, to = from] = text.split('-').map(Number)
  if (!/^\d+(-\d+)?$/.test(text) || from === undefined || to === undefined || to > 65_535 || to < from) {
    throw badParameter(`invalid port specification: "${text}"`)
  }
  return Array.from({ length: to - from + 1 }, (_, index) => from + index)
}
