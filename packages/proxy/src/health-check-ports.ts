/**
 * Health-check node ports: a load balancer asks each node at the Service's healthCheckNodePort whether it has endpoints
 * of a Service whose external policy is Local, and sends nothing to a node that answers 503. Path and method do not
 * matter, as upstream (pkg/proxy/healthcheck/service_health.go).
 */

import { HttpServer } from '@dinghy/shared/http/server'
import type { Logger } from '@dinghy/shared/client/stderr-logger'
import type { ServiceInfo } from './rules/service-info.ts'

interface Port {
  port: number
  localEndpoints: number
  server: HttpServer
}

export class HealthCheckPorts {
  readonly #address: string
  readonly #log: Logger
  readonly #ports = new Map<string, Port>()

  constructor({ address, log }: { address: string; log: Logger }) {
    this.#address = address
    this.#log = log
  }

  async apply(service: string, wanted: ServiceInfo['healthCheck']): Promise<void> {
    const present = this.#ports.get(service)
    if (present && present.port === wanted?.port) {
      present.localEndpoints = wanted.localEndpoints
      return
    }
    this.#ports.delete(service)
    await present?.server.close()
    if (!wanted) return
    const one: Port = { ...wanted, server: new HttpServer() }
    one.server.app.all('*', (_request, reply) => reply.code(statusOf(one)).send(answerOf(service, one)))
    this.#ports.set(service, one)
    try {
      await one.server.listen({ host: this.#address, port: wanted.port })
    } catch (error) {
      // The port is somebody else's; the next change of the Service tries again.
      this.#ports.delete(service)
      this.#log.warn({ service, port: wanted.port, err: error }, 'the health-check node port is not served')
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#ports.values()].map(({ server }) => server.close()))
  }
}

function statusOf({ localEndpoints }: Port): number {
  return localEndpoints > 0 ? 200 : 503
}

function answerOf(key: string, { localEndpoints }: Port): unknown {
  const [namespace, name] = key.split('/')
  return { service: { namespace, name }, localEndpoints, serviceProxyHealthy: true }
}
