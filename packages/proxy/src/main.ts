/**
 * kube-proxy of one node: makes Services reachable. Reads Services and EndpointSlices, decides (rules/), and has the
 * connections carried by the kernel (nftables/) or by itself (userspace/). It holds no state of its own: killed and
 * started again it serves the same rules; in between the kernel's table goes on, or, where the nodes share one network,
 * another node's proxy takes its ClusterIPs over.
 */

import { ApiClient } from '@dinghy/shared/client/api-client'
import { readKubeconfig } from '@dinghy/shared/client/kubeconfig'
import { kubeconfigFlag } from '@dinghy/shared/process/kubeconfig-flag'
import { runMain } from '@dinghy/shared/process/main'
import { proxyName, startProxy, type ProxyMode } from './start-proxy.ts'

runMain({
  name: 'proxy',
  flags: {
    ...kubeconfigFlag,
    'node-name': { type: 'string', required: true, help: 'the node that this proxy serves' },
    'node-address': { type: 'string', required: true, help: 'the address where its NodePorts are served' },
    'proxy-mode': {
      type: 'string',
      default: 'loopback',
      oneOf: ['loopback', 'userspace', 'nftables'],
      help: "loopback: all nodes share one network; else in the network namespace that the process runs in, by `nft`'s tables or in user space",
    },
    'cluster-cidr': { type: 'string', default: '10.244.0.0/16', help: 'where pods are; not for loopback' },
  },
  run: async ({ flags, log, clock, signal, health, metrics, debug }) => {
    const node = { name: flags.nodeName, address: flags.nodeAddress }
    const client = new ApiClient({ ...(await readKubeconfig(flags.kubeconfig)), userAgent: proxyName(node.name) })
    const mode = flags.proxyMode as ProxyMode
    await startProxy({ client, clock, log, health, metrics, debug, node, mode, clusterCidr: flags.clusterCidr }, signal)
  },
})
