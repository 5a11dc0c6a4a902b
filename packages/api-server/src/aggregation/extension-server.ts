/**
 * Another API server, reached through the Service that its APIService names. The request is handed on as it came, but
 * for its credentials: the other server is told who asks in X-Remote-* headers, and believes them because of this
 * server's front-proxy certificate.
 */

import { serviceUnavailable, StatusError } from '@dinghy/shared/api/errors'
import { type ClientTls, httpRequest, readJson } from '@dinghy/shared/http/client'
import type { UserInfo } from '../auth/user.ts'
import type { ExtensionVersion } from '../discovery.ts'
import type { Exchange } from '../http/exchange.ts'
import { pipeHttp, pipeUpgrade } from '../http/pipe.ts'
import type { Reply } from '../http/reply.ts'
import { backendOf } from '../http/service-endpoint.ts'
import type { Reader } from '../registry/reader.ts'
import type { APIService, ServiceReference } from './api-service.ts'
import type { Extension } from '../http/pipeline.ts'

/** What this server shows to extension servers. */
export type FrontProxyIdentity = Pick<ClientTls, 'cert' | 'key'>

/** A discovery that takes longer counts as failed. */
const discoveryTimeoutMs = 5_000

export class ExtensionServer implements Extension {
  readonly group: string
  readonly version: string
  readonly #service: ServiceReference
  readonly #tls: ClientTls
  readonly #reader: Reader

  constructor({ spec }: APIService, service: ServiceReference, reader: Reader, identity: FrontProxyIdentity = {}) {
    this.group = spec.group ?? ''
    this.version = spec.version ?? ''
    this.#service = service
    this.#reader = reader
    const { caBundle, insecureSkipTLSVerify } = spec
    this.#tls = {
      ...identity,
      servername: `${service.name}.${service.namespace}.svc`,
      ...(caBundle ? { ca: Buffer.from(caBundle, 'base64') } : {}),
      ...(insecureSkipTLSVerify ? { rejectUnauthorized: false } : {}),
    }
  }

  async answer(exchange: Exchange): Promise<Reply | undefined> {
    const target = {
      ...this.#target(exchange.request.url),
      tls: this.#tls,
      headers: remoteHeaders(exchange.user),
    }
    return await (exchange.upgrade ? pipeUpgrade(exchange, target) : pipeHttp(exchange, target))
  }

  /** What the server says that it serves. Throws if it does not answer, or not so. */
  async discover(signal: AbortSignal): Promise<ExtensionVersion> {
    const { host, port, path } = this.#target(`/apis/${this.group}/${this.version}`)
    const response = await httpRequest(
      {
        method: 'GET',
        url: { origin: `https://${host}:${port}`, path },
        tls: { ...this.#tls, rejectUnauthorized: false },
        headers: { accept: 'application/json', ...remoteHeaders(aggregator) },
        headersTimeoutMs: discoveryTimeoutMs,
        bodyTimeoutMs: discoveryTimeoutMs,
        keepAlive: false,
      },
      signal,
    )
    if (response.status !== 200) throw new Error(`bad status from https://${host}:${port}${path}: ${response.status}`)
    const { resources } = await readJson<{ resources?: ExtensionVersion['resources'] }>(response)
    return { group: this.group, version: this.version, resources: resources ?? [] }
  }

  #target(path: string) {
    const { namespace, name, port } = this.#service
    try {
      return { scheme: 'https' as const, ...backendOf(this.#reader, namespace, name, port), path }
    } catch (error) {
      // For whoever asks for the group it is the same whether the Service or its programs are missing.
      if (error instanceof StatusError) throw serviceUnavailable('service unavailable', { cause: error })
      throw error
    }
  }
}

/** As upstream, discovery must never fail for want of rights. */
const aggregator: UserInfo = { username: 'system:kube-aggregator', groups: ['system:masters'] }

/** Names of `extra` are percent-encoded: they may hold what a header's name must not. */
function remoteHeaders({ username, uid, groups, extra = {} }: UserInfo): Record<string, string | string[]> {
  const extras = Object.entries(extra).map(([key, values]) => [
    `x-remote-extra-${encodeURIComponent(key.toLowerCase())}`,
    values,
  ])
  return {
    'x-remote-user': username,
    ...(uid ? { 'x-remote-uid': uid } : {}),
    'x-remote-group': groups,
    ...(Object.fromEntries(extras) as Record<string, string[]>),
  }
}
