/**
 * The environment variables that tell a container which Services there are: FOO_SERVICE_HOST and _PORT, and the older
 * "Docker links" form. Pure. Follows upstream's pkg/kubelet/envvars.
 *
 * Only Services that exist when the container starts can be seen this way; that is why DNS is the better habit.
 */

import type { Service } from '@dinghy/shared/api/types'

/**
 * The Service "kubernetes" in namespace "default" is always told, because clients inside the cluster find the API
 * through it; the Services of the pod's own namespace are, unless the pod says enableServiceLinks: false.
 */
export function serviceEnv(
  services: readonly Service[],
  namespace: string,
  enableServiceLinks: boolean,
): Map<string, string> {
  const env = new Map<string, string>()
  const seen = new Map<string, Service>()
  for (const service of services) {
    const { name } = service.metadata
    const isMaster = service.metadata.namespace === 'default' && name === 'kubernetes'
    if (isMaster && !seen.has(name)) seen.set(name, service)
    else if (enableServiceLinks && service.metadata.namespace === namespace) seen.set(name, service)
  }
  for (const service of [...seen.values()].sort(byName)) describe(service, env)
  return env
}

function describe(service: Service, env: Map<string, string>): void {
  const { clusterIP, ports = [] } = service.spec
  const first = ports[0]
  if (!clusterIP || clusterIP === 'None' || !first) return
  const prefix = service.metadata.name.toUpperCase().replaceAll('-', '_')
  env.set(`${prefix}_SERVICE_HOST`, clusterIP)
  env.set(`${prefix}_SERVICE_PORT`, String(first.port))
  for (const { name, port } of ports) {
    if (name) env.set(`${prefix}_SERVICE_PORT_${name.toUpperCase().replaceAll('-', '_')}`, String(port))
  }
  for (const [index, { port, protocol = 'TCP' }] of ports.entries()) {
    const scheme = protocol.toLowerCase()
    const url = `${scheme}://${clusterIP.includes(':') ? `[${clusterIP}]` : clusterIP}:${port}`
    if (index === 0) env.set(`${prefix}_PORT`, url)
    const link = `${prefix}_PORT_${port}_${protocol.toUpperCase()}`
    env.set(link, url)
    env.set(`${link}_PROTO`, scheme)
    env.set(`${link}_PORT`, String(port))
    env.set(`${link}_ADDR`, clusterIP)
  }
}

function byName(a: Service, b: Service): number {
  return a.metadata.name < b.metadata.name ? -1 : 1
}
