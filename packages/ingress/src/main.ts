/**
 * The ingress controller of a cluster, for Ingresses and for the Gateway API: an HTTP proxy that reads from both what
 * is to be served, and writes into their statuses what became of it.
 *
 *   own-objects.ts          its classes and the Gateway API's CRDs, made if they are missing
 *   ingress-controller.ts   objects ─► cluster-model.ts ─► serve.ts (ports, certificates, routes, endpoints)
 *   forward/                requests
 *
 * It holds no state: killed and started again it serves the same, and what was under way is lost with its connections.
 * Killing it costs the requests of that moment and the third of a second until the next one listens.
 */

import { aborted } from '@dinghy/shared/api/aborted'
import { ApiClient } from '@dinghy/shared/client/api-client'
import { Backoff } from '@dinghy/shared/client/backoff'
import { EventRecorder } from '@dinghy/shared/client/events'
import { Informers } from '@dinghy/shared/client/informer'
import { readKubeconfig } from '@dinghy/shared/client/kubeconfig'
import { parseHostPort } from '@dinghy/shared/http/listen-address'
import { kubeconfigFlag } from '@dinghy/shared/process/kubeconfig-flag'
import { runMain } from '@dinghy/shared/process/main'
import { IngressController, ingressControllerName } from './ingress-controller.ts'
import { ensureOwnObjects } from './own-objects.ts'
import { Serve } from './serve.ts'

const drainMs = 5_000
const connectTimeoutMs = 5_000
const headTimeoutMs = 10_000

runMain({
  name: 'ingress',
  flags: {
    ...kubeconfigFlag,
    'http-listen': { type: 'list', default: ['127.0.0.1:8080'], help: 'where port 80 is served, host:port, several' },
    'https-listen': { type: 'list', default: ['127.0.0.1:8443'], help: 'where port 443 is served, host:port, several' },
    'publish-address': {
      type: 'list',
      default: ['127.0.0.1'],
      help: 'the addresses in statuses, where ports other than 80 and 443 are served, too',
    },
    'idle-timeout': {
      type: 'duration',
      default: '60s',
      help: 'what may pass without a byte of a request or an answer',
    },
    'use-forwarded-headers': { type: 'boolean', help: 'believe X-Forwarded-* and Forwarded headers of clients' },
    'access-log': { type: 'boolean', help: 'log every request; at log level debug they are logged anyway' },
  },
  async run({ flags, log, clock, signal, health, metrics, debug }) {
    const client = new ApiClient({ ...(await readKubeconfig(flags.kubeconfig)), userAgent: ingressControllerName })
    const [http, https] = [flags.httpListen.map(parseHostPort), flags.httpsListen.map(parseHostPort)]
    const elsewhere = (port: number) => flags.publishAddress.map((host) => ({ host, port }))
    const serving = new Serve({
      clock,
      log,
      metrics,
      addressesOf: (port) => (port === 80 ? http : port === 443 ? https : elsewhere(port)),
      onPortsChange: () => controller.portsChanged(),
      idleTimeoutMs: flags.idleTimeout,
      connectTimeoutMs,
      headTimeoutMs,
      logsAccess: flags.accessLog,
      believesClients: flags.useForwardedHeaders,
    })
    const informers = new Informers(client, { clock, log })
    const recorder = new EventRecorder(client, { component: ingressControllerName, clock, log })
    const publishAddresses = flags.publishAddress
    const controller = new IngressController({ client, informers, recorder, clock, log, serving, publishAddresses })
    health.addCheck('synced', () => controller.hasSynced())
    debug.addPage('/debug/routes', () => serving.page())

    const backoff = new Backoff(clock)
    for (let isDone = false; !isDone && !signal.aborted;) {
      try {
        await ensureOwnObjects(client, clock, signal)
        isDone = true
      } catch (error) {
        if (signal.aborted) break
        log.debug({ err: error }, 'the cluster cannot be prepared yet: trying again')
        await client.pauseAfter(error, backoff, clock, signal)
      }
    }
    informers.start(signal)
    const loop = controller.run(signal)
    await aborted(signal)
    await serving.close(drainMs)
    recorder.stop()
    await loop
  },
})
