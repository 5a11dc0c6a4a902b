/**
 * The API server, put together: storage below, the store on it, admission in its way, HTTP in front.
 */

import { setMaxListeners } from 'node:events'
import type { Clock } from '@dinghy/shared/api/clock'
import type { ClientTls } from '@dinghy/shared/http/client'
import { type Listening, parseListenAddress, type ServerTls } from '@dinghy/shared/http/listen-address'
import type { Health } from '@dinghy/shared/process/health'
import type { Logger } from '@dinghy/shared/process/logger'
import type { Metrics } from '@dinghy/shared/process/metrics'
import type { Schema } from '@dinghy/shared/schema/schema'
import { AdmissionChain } from './registry/admission.ts'
import { certificateApproval, certificateSigning } from './admission/certificate-approval.ts'
import { certificateRequester } from './admission/certificate-requester.ts'
import { certificateSubjectRestriction } from './admission/certificate-subject-restriction.ts'
import { defaultIngressClass, defaultStorageClass } from './admission/default-classes.ts'
import { defaultTolerationSeconds } from './admission/default-toleration-seconds.ts'
import { limitRanger } from './admission/limit-ranger.ts'
import { namespaceLifecycle } from './admission/namespace-lifecycle.ts'
import { persistentVolumeClaimResize } from './admission/persistent-volume-claim-resize.ts'
import { ownerReferencesPermission, ownerReferencesPermissionName } from './admission/owner-references-permission.ts'
import { podSecurity } from './admission/pod-security.ts'
import { priority } from './admission/priority.ts'
import { nodeRestriction } from './admission/node-restriction.ts'
import { rbacEscalation } from './admission/rbac-escalation.ts'
import { resourceQuota } from './admission/resource-quota.ts'
import { runtimeClass } from './admission/runtime-class.ts'
import { serviceAccount } from './admission/service-account.ts'
import { storageObjectInUseProtection } from './admission/storage-object-in-use-protection.ts'
import { taintNodesByCondition } from './admission/taint-nodes-by-condition.ts'
import { runPolicyStatus } from './admission/policy/policy-status.ts'
import { validatingAdmissionPolicy } from './admission/policy/validating-admission-policy.ts'
import { mutatingAdmissionWebhook } from './admission/webhook/mutating-webhook.ts'
import { validatingAdmissionWebhook } from './admission/webhook/validating-webhook.ts'
import { Aggregator } from './aggregation/aggregator.ts'
import { MetricsApi, summaryReader } from './aggregation/metrics-api.ts'
import type { AuditLog } from './audit/audit-log.ts'
import { Auditor } from './audit/auditor.ts'
import type { AuditPolicy } from './audit/policy.ts'
import { adminSocket } from './auth/admin-socket.ts'
import { anonymous } from './auth/anonymous.ts'
import { loopbackAdmin } from './auth/authenticate.ts'
import { Authorization, type AuthorizationMode } from './auth/authorization.ts'
import { bearerTokens, firstVerifier } from './auth/bearer-tokens.ts'
import { bootstrapTokens } from './auth/bootstrap-tokens.ts'
import { clientCertificates } from './auth/client-certificates.ts'
import { serviceAccountTokens } from './auth/service-account-tokens.ts'
import { TokenIssuer } from './auth/token-issuer.ts'
import { bootstrapCluster, bootstrapNamespaces, type ClusterDns } from './bootstrap.ts'
import { serveCustomResources } from './custom-resources/serve-custom-resources.ts'
import { debugAccess, debugRoutes } from './debug/debug-routes.ts'
import { discoveryRoutes } from './http/discovery-routes.ts'
import { ensureFlowControlDefaults } from './flow-control/ensure-defaults.ts'
import { FlowController } from './flow-control/flow-controller.ts'
import { observeFlowControl } from './flow-control/flow-metrics.ts'
import { flowControlRoutes } from './http/flow-control-routes.ts'
import { openIdRoutes } from './http/openid-routes.ts'
import { openApiRoutes } from './http/openapi-routes.ts'
import { pathRoutes } from './http/path-routes.ts'
import { createApiServer } from './http/pipeline.ts'
import { requestMetrics } from './http/request-metrics.ts'
import { backendOf } from './http/service-endpoint.ts'
import type { Services } from './http/services.ts'
import { builtinDefinitions } from './registry/definitions.ts'
import { parseIpv4Range } from './registry/ipv4-range.ts'
import { Reader } from './registry/reader.ts'
import { Reservations } from './registry/reservations.ts'
import { Resources } from './registry/resources.ts'
import { parsePortRange, ServiceAllocator } from './registry/service-allocators.ts'
import { Store } from './registry/store.ts'
import type { Storage } from './storage/storage.ts'
import { WebhookClient } from './webhooks/webhook-client.ts'

export interface ServerOptions {
  /** host:port each, where port 0 takes any; after the first one also unix:FILE. */
  listen: readonly [string, ...string[]]
  /** Which of its addresses pods find it at; the first one if nothing is said. */
  advertiseAddress?: string | undefined
  /** "127.96.0.0/16" */
  serviceCidr: string
  /** "30000-32767" */
  nodePortRange: string
  /** The Service kube-dns, and where the server behind it listens. */
  dns?: ClusterDns | undefined
  /** How long pods stay on a node that went away, unless they say otherwise. */
  defaultTolerationSeconds: number
  /** The PEM of the key that signs service account tokens. */
  signingKey: string
  /** Without it the server speaks plain HTTP, and whoever reaches it is its administrator. */
  tls?: ServerIdentity | undefined
  /** A unix socket for the administrator. */
  adminSocket?: string | undefined
  /** Whether requests without credentials may see health and version. */
  anonymousAuth?: boolean
  /** Who decides what a user may do. */
  authorizationModes?: AuthorizationMode[]
  /** Those that are not always there. */
  admissionPlugins?: string[]
  /** How this server speaks with kubelets; without it, in plain HTTP. */
  kubeletTls?: ClientTls | undefined
  /** How this server shows itself to extension servers. */
  frontProxy?: FrontProxy | undefined
  /** Who did what is written into this log, as far as the policy says. */
  audit?: { policy: AuditPolicy; log: AuditLog } | undefined
  /** The longest that a service account token may live. */
  maxTokenSeconds?: number | undefined
}

/** Extension servers believe whoever shows this certificate, whomever it says that it asks for. PEM. */
export interface FrontProxy {
  certificate: string
  key: string
  /** Who signed it. */
  authority: string
}

/** All three as PEM. */
export interface ServerIdentity {
  certificate: string
  key: string
  /** Who signs the certificates of clients. */
  clientAuthority: string
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
  const { frontProxy, tls } = options
  const { resources, reader, store, types, webhooks } = services
  const stop = new AbortController()
  setMaxListeners(0, stop.signal) // all that follows the storage listens to it
  const customResources = await serveCustomResources({ store, resources, reader, types, webhooks, log }, stop.signal)
  const metricsApi = new MetricsApi({ reader, resources, clock, log, readSummary: summaryReader(services) })
  const aggregator = new Aggregator({
    storage,
    reader,
    resources,
    store,
    clock,
    log,
    builtIn: [metricsApi],
    identity: frontProxy && { cert: frontProxy.certificate, key: frontProxy.key },
  })
  const flowControl = new FlowController(storage, clock)
  const http = createApiServer({
    services,
    log,
    auditor: options.audit && new Auditor({ ...options.audit, clock }),
    accessTo: (exchange) => debugAccess(exchange, resources),
    extensionFor: (path) => aggregator.find(path),
    flowControl,
    metrics: requestMetrics(metrics, clock),
    paths: {
      ...pathRoutes({ health, metrics }),
      ...discoveryRoutes(resources, aggregator),
      ...openApiRoutes(resources, clock),
      ...debugRoutes({ storage, resources, authorizer: services.authorization.authorize }),
      ...flowControlRoutes(flowControl),
      ...openIdRoutes(services.tokens),
    },
  })
  metrics.observed(
    'apiserver_storage_revision',
    'The newest revision, which is the number of writes so far.',
    () => storage.revision,
  )
  metrics.observed('apiserver_storage_objects', 'How many objects there are.', () => storage.count('/'))
  observeFlowControl(metrics, flowControl)
  const following = [
    services.authorization.follow(stop.signal),
    runPolicyStatus(services, stop.signal),
    flowControl.follow(stop.signal),
  ]
  await Promise.all([bootstrapCluster(services), ensureFlowControlDefaults(services.store.parts)])
  flowControl.load()
  const listening = await listenOnAll(http, options)
  if (options.adminSocket !== undefined) await http.listen({ socketPath: options.adminSocket })
  const { host: firstHost, port } = listening
  const host = options.advertiseAddress ?? firstHost
  const authorities = { clients: tls?.clientAuthority, frontProxies: frontProxy?.authority }
  const { dns } = options
  await bootstrapNamespaces({ store, resources, host, port, serviceRange, authorities, dns })
  const aggregating = aggregator.run(stop.signal)
  const close = async () => {
    await http.close(closeGraceMs)
    stop.abort()
    await Promise.all([...following, aggregating, customResources.finished])
  }
  return { ...listening, services, close }
}

function wire(options: ServerOptions, { schema, storage, clock, log }: ServerParts): Services {
  const reader = new Reader(storage)
  const resources = new Resources(builtinDefinitions(schema))
  const authorization = new Authorization(options.authorizationModes ?? ['AlwaysAllow'], storage, reader)
  const webhooks = new WebhookClient({
    clock,
    locateService: (namespace, name, port) => backendOf(reader, namespace, name, port),
  })
  const dynamic = { reader, resources, authorizer: authorization.authorize, client: webhooks, log }
  // In upstream's order.
  const admission = new AdmissionChain([
    namespaceLifecycle(reader),
    limitRanger(reader),
    serviceAccount(reader),
    taintNodesByCondition(),
    priority(reader),
    defaultStorageClass(reader),
    storageObjectInUseProtection(),
    persistentVolumeClaimResize(reader),
    runtimeClass(reader),
    podSecurity(reader),
    certificateRequester(),
    certificateApproval(authorization.authorize),
    certificateSigning(authorization.authorize),
    certificateSubjectRestriction(),
    defaultIngressClass(reader),
    defaultTolerationSeconds(options.defaultTolerationSeconds),
    mutatingAdmissionWebhook(dynamic),
    validatingAdmissionPolicy(dynamic),
    validatingAdmissionWebhook(dynamic),
    resourceQuota(reader),
    nodeRestriction(reader),
    rbacEscalation(authorization),
    ...(options.admissionPlugins?.includes(ownerReferencesPermissionName)
      ? [ownerReferencesPermission(authorization.authorize, resources)]
      : []),
  ])
  const ports = parsePortRange(options.nodePortRange)
  const allocator = new ServiceAllocator(reader, parseIpv4Range(options.serviceCidr), ports)
  const reservations = new Reservations([allocator])
  const tokens = new TokenIssuer(options.signingKey, clock)
  const verifyToken = firstVerifier([serviceAccountTokens(tokens, reader, clock), bootstrapTokens(reader, clock)])
  return {
    clock,
    types: schema,
    storage,
    resources,
    store: new Store({ storage, resources, admission, reservations, clock }),
    reader,
    admission,
    authenticators: [
      adminSocket,
      clientCertificates(clock),
      bearerTokens(verifyToken, tokens.defaultAudiences),
      ...(options.tls ? [] : [loopbackAdmin]),
      ...(options.anonymousAuth ? [anonymous] : []),
    ],
    authorization,
    tokens,
    verifyToken,
    kubeletTls: options.kubeletTls,
    maxTokenSeconds: options.maxTokenSeconds,
    webhooks,
  }
}

/** Returns the first. */
async function listenOnAll(
  http: ReturnType<typeof createApiServer>,
  { listen, tls }: ServerOptions,
): Promise<Listening> {
  const [first, ...others] = listen
  const at = (address: string) => ({ ...parseListenAddress(address), tls: tls && listenerTls(tls) })
  const listening = await http.listen(at(first))
  for (const address of others) await http.listen(at(address))
  return listening
}

/** Clients are asked for a certificate, and not turned away for want of one: they may have a token. */
function listenerTls({ certificate, key, clientAuthority }: ServerIdentity): ServerTls {
  return { cert: certificate, key, ca: clientAuthority, requestCert: true, rejectUnauthorized: false }
}
