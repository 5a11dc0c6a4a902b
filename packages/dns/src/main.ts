/**
 * The cluster's DNS server, behind the Service kube-dns in kube-system: names of Services and pods, and by way of the
 * machine's own name servers those of the rest of the world.
 *
 *   question ─► resolver.ts ─► zone.ts            names below cluster.local and addresses of the cluster, pure
 *                     └──────► shared/dns/forwarder.ts   everything else
 */

import { readFile } from 'node:fs/promises'
import { ApiClient } from '@dinghy/shared/client/api-client'
import { Informers } from '@dinghy/shared/client/informer'
import { readKubeconfig } from '@dinghy/shared/client/kubeconfig'
import { parseHostPort } from '@dinghy/shared/http/listen-address'
import { kubeconfigFlag } from '@dinghy/shared/process/kubeconfig-flag'
import { runMain } from '@dinghy/shared/process/main'
import { aborted } from '@dinghy/shared/api/aborted'
import { clusterView } from './cluster-view.ts'
import { Forwarder } from '@dinghy/shared/dns/forwarder'
import { nameServersIn } from '@dinghy/shared/dns/resolv-conf'
import { Resolver } from './resolver.ts'
import { listen } from '@dinghy/shared/dns/server'
import { stubDomains } from './stub-domains.ts'

runMain({
  name: 'dns',
  flags: {
    ...kubeconfigFlag,
    listen: { type: 'string', required: true, help: 'address to answer on, host:port, UDP and TCP' },
    'cluster-domain': { type: 'string', default: 'cluster.local', help: 'the domain of all names of this cluster' },
    ttl: { type: 'number', default: 30, help: 'seconds for which clients may remember an address' },
    'resolv-conf': {
      type: 'string',
      default: '/etc/resolv.conf',
      help: 'where the name servers for the rest of the world are listed; empty: there are none',
    },
    'stub-domains': {
      type: 'string',
      default: '',
      help: 'name servers of single domains: example.com=10.0.0.1,corp.example=10.0.0.2:5353',
    },
  },
  async run({ flags, log, clock, signal, health, metrics }) {
    const client = new ApiClient({ ...(await readKubeconfig(flags.kubeconfig)), userAgent: 'dns' })
    const informers = new Informers(client, { clock, log })
    const cluster = clusterView(informers)
    health.addCheck('synced', () => cluster.hasSynced())
    const machine = await nameServersOf(flags.resolvConf)
    const upstreams = new Map([['', machine], ...stubDomains(flags.stubDomains)])
    const forwarder = new Forwarder({ upstreams, clock, log })
    const zone = { domain: flags.clusterDomain, ttl: flags.ttl }
    const resolver = new Resolver({ zone, cluster, forwarder, metrics, signal })
    informers.start(signal)
    await informers.synced()
    const server = await listen({ ...parseHostPort(flags.listen), resolver, log })
    log.info({ listen: flags.listen, upstreams: machine }, 'answering')
    await aborted(signal)
    await server.close()
  },
})

/** A machine without such a file has no name servers; the cluster's own names do not need any. */
async function nameServersOf(path: string): Promise<string[]> {
  if (path === '') return []
  try {
    return nameServersIn(await readFile(path, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
