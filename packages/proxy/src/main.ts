/**
 * kube-proxy of one node: makes Services reachable. Reads Services and EndpointSlices, decides (rules.ts), serves
 * (listeners.ts). It holds no state of its own: killed and started again it serves the same rules, and in between
 * another node's proxy takes its ClusterIPs over.
 */

import { ApiClient } from '@dinghy/shared/client/api-client'
import { readKubeconfig } from '@dinghy/shared/client/kubeconfig'
import { kubeconfigFlag } from '@dinghy/shared/process/kubeconfig-flag'
import { runMain } from '@dinghy/shared/process/main'
import { proxyName, startProxy } from './start-proxy.ts'

runMain({
  name: 'proxy',
  flags: {
    ...kubeconfigFlag,
    'node-name': { type: 'string', required: true, help: 'the node that this proxy serves' },
    'node-address': { type: 'string', required: true, help: 'the address where its NodePorts are served' },
  },
  run: async ({ flags, log, clock, signal, health, metrics, debug }) => {
    const node = { name: flags.nodeName, address: flags.nodeAddress }
    const client = new ApiClient({ ...(await readKubeconfig(flags.kubeconfig)), userAgent: proxyName(node.name) })
    await startProxy({ client, clock, log, health, metrics, debug, node }, signal)
  },
})
