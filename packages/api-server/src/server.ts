/**
 * The API server, put together: storage below, the store on it, admission in its way, HTTP in front.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import { type Listening, parseHostPort } from '@dinghy/shared/http/listen-address'
import type { Health } from '@dinghy/shared/process/health'
import type { Logger } from '@dinghy/shared/process/logger'
import type { Metrics } from '@dinghy/shared/process/metrics'
import type { Schema } from '@dinghy/shared/schema/schema'
import { AdmissionChain } from './registry/admission.ts'
import { certificateRequester } from './admission/certificate-requester.ts'
import { defaultIngressClass, defaultStorageClass } from './admission/default-classes.ts'
import { defaultTolerationSeconds } from './admission/default-toleration-seconds.ts'
import { limitRanger } from './admission/limit-ranger.ts'
import { namespaceLifecycle } from './admission/namespace-lifecycle.ts'
import { persistentVolumeClaimResize } from './admission/persistent-volume-claim-resize.ts'
import { priority } from './admission/priority.ts'
import { resourceQuota } from './admission/resource-quota.ts'
import { runtimeClass } from './admission/runtime-class.ts'
import { serviceAccount } from './admission/service-account.ts'
import { storageObjectInUseProtection } from './admission/storage-object-in-use-protection.ts'
import { bearerTokens, loopbackAdmin } from './auth/authenticate.ts'
import { alwaysAllow } from './auth/authorize.ts'
import { verifyServiceAccountToken } from './auth/service-account-tokens.ts'
import { TokenIssuer } from './auth/token-issuer.ts'
import { bootstrap } from './bootstrap.ts'
import { serveCustomResources } from './custom-resources/serve-custom-resources.ts'
import { debugRoutes } from './debug/debug-routes.ts'
import { discoveryRoutes } from './http/discovery-routes.ts'
import { FlowControl } from './http/flow-control.ts'
import { openIdRoutes } from './http/openid-routes.ts'
import { openApiRoutes } from './http/openapi-routes.ts'
import { pathRoutes } from './http/path-routes.ts'
import { createApiServer } from './http/pipeline.ts'
import { requestMetrics } from './http/request-metrics.ts'
import type { Services } from './http/services.ts'
import { builtinDefinitions } from './registry/definitions.ts'
import { parseIpv4Range } from './registry/ipv4-range.ts'
import { Reader } from './registry/reader.ts'
import { Reservations } from './registry/reservations.ts'
import { Resources } from './registry/resources.ts'
import { parsePortRange, ServiceAllocator } from './registry/service-allocators.ts'
import { Store } from './registry/store.ts'
import type { Storage } from './storage/storage.ts'

export interface ServerOptions {
  /** host:port; port 0 takes any. */
  listen: string
  /** "127.96.0.0/16" */
  serviceCidr: string
  /** "30000-32767" */
  nodePortRange: string
  /** How long pods stay on a node that went away, unless they say otherwise. */
  defaultTolerationSeconds: number
  /** The PEM of the key that signs service account tokens. */
  signingKey: string
}

export interface ServerParts {
  schema: Schema
  storage: Storage
  clock: Clock
  log: Logger
  health: Health
  metrics: Metrics
}

export interface ApiServer extends Listening {
  services: Services
  /** Rejects if custom resources are no longer followed although the server is not closed. */
  following: Promise<void>
  /** Ends what is being served, lasting requests included, and stops listening. */
  close(): Promise<void>
}

/** How long requests that do not last may take to finish when the server stops. */
const closeGraceMs = 2_000

/** Resolves once it listens and the cluster's own objects are stored. */
export async function startServer(options: ServerOptions, parts: ServerParts): Promise<ApiServer> {
  const { storage, clock, log, health, metrics } = parts
  const serviceRange = parseIpv4Range(options.serviceCidr)
  const services = wire(options, parts)
  const { resources } = services
  const stopping = new AbortController()
  const { store, reader, types } = services
  const customResources = await serveCustomResources({ store, resources, reader, types, log }, stopping.signal)
  const http = createApiServer({
    services,
    log,
    flowControl: new FlowControl(),
    metrics: requestMetrics(metrics, clock),
    paths: {
      ...pathRoutes({ health, metrics }),
      ...discoveryRoutes(resources),
      ...openApiRoutes(resources, clock),
      ...debugRoutes(storage, resources),
      ...openIdRoutes(services.tokens),
    },
  })
  metrics.observed(
    'apiserver_storage_revision',
    'The newest revision, which is the number of writes so far.',
    () => storage.revision,
  )
  metrics.observed('apiserver_storage_objects', 'How many objects there are.', () => storage.count('/'))
  const listening = await http.listen(parseHostPort(options.listen))
  const { host, port } = listening
  await bootstrap({ store: services.store, resources, host, port, serviceRange })
  return {
    ...listening,
    services,
    following: customResources.finished,
    async close() {
      stopping.abort()
      await http.close(closeGraceMs)
      await customResources.finished
    },
  }
}

function wire(options: ServerOptions, { schema, storage, clock }: ServerParts): Services {
  const reader = new Reader(storage)
  const resources = new Resources(builtinDefinitions(schema))
  // In upstream's order.
  const admission = new AdmissionChain([
    namespaceLifecycle(reader),
    limitRanger(reader),
    serviceAccount(reader),
    priority(reader),
    defaultStorageClass(reader),
    storageObjectInUseProtection(),
    persistentVolumeClaimResize(reader),
    runtimeClass(reader),
    certificateRequester(),
    defaultIngressClass(reader),
    defaultTolerationSeconds(options.defaultTolerationSeconds),
    resourceQuota(reader),
  ])
  const ports = parsePortRange(options.nodePortRange)
  const allocator = new ServiceAllocator(reader, parseIpv4Range(options.serviceCidr), ports)
  const reservations = new Reservations([allocator])
  const tokens = new TokenIssuer(options.signingKey, clock)
  return {
    clock,
    types: schema,
    storage,
    resources,
    store: new Store({ storage, resources, admission, reservations, clock }),
    reader,
    admission,
    authenticators: [bearerTokens((token) => verifyServiceAccountToken(tokens, reader, token)?.user), loopbackAdmin],
    authorizer: alwaysAllow,
    tokens,
  }
}
