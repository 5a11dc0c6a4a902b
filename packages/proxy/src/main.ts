/**
 * kube-proxy of one node: makes Services reachable. Reads Services and EndpointSlices, decides (rules/), and has the
 * connections carried by the kernel (nftables/) or by itself (userspace/). It holds no state of its own: killed and
 * started again it serves the same rules; in between the kernel's table goes on, or, where the nodes share one network,
 * another node's proxy takes its ClusterIPs over. As gateway it is the person's way to the nodes (gateway/).
 */

import { join } from 'node:path'
import { ApiClient } from '@dinghy/shared/client/api-client'
import { readKubeconfig } from '@dinghy/shared/client/kubeconfig'
import { kubeconfigFlag } from '@dinghy/shared/process/kubeconfig-flag'
import { FlagError } from '@dinghy/shared/process/flags'
import { parseHostPort } from '@dinghy/shared/http/listen-address'
import { runMain } from '@dinghy/shared/process/main'
import { gatewayName, startGateway } from './gateway/start-gateway.ts'
import { Routes } from './gateway/routes.ts'
import type { Forward } from './gateway/gateway-rules.ts'
import { forwardToSocket } from './gateway/socket-forward.ts'
import { proxyName, startProxy, type ProxyMode } from './start-proxy.ts'
import { DialSocket, dialThrough } from './userspace/dial-socket.ts'
import type { Dial } from './userspace/forwarder.ts'

runMain({
  name: 'proxy',
  flags: {
    ...kubeconfigFlag,
    'node-name': { type: 'string', help: 'the node that this proxy serves; not for gateway' },
    'node-address': { type: 'string', help: 'the address where its NodePorts are served; not for gateway' },
    'proxy-mode': {
      type: 'string',
      default: 'loopback',
      oneOf: ['loopback', 'userspace', 'nftables', 'gateway'],
      help: "loopback: all nodes share one network; userspace, nftables: in the network namespace that the process runs in; gateway: the person's way to the nodes",
    },
    'cluster-cidr': { type: 'string', default: '10.244.0.0/16', help: 'where pods are; for userspace and nftables' },
    'dial-socket': {
      type: 'string',
      help: 'a unix socket to serve, by which the gateway of an ordinary user reaches into this network',
    },
    'switch-cidr': {
      type: 'string',
      help: 'gateway: the network of the nodes, to whose load balancers the machine gets routes',
    },
    'dial-sockets': {
      type: 'string',
      help: 'gateway: instead of routes, the directory with the sockets proxy-NODE.sock of the nodes',
    },
    forward: {
      type: 'list',
      help: 'gateway with --dial-sockets: HOST:PORT=HOST:PORT, where to listen and where that leads inside',
    },
    'api-server-listen': { type: 'string', help: 'gateway: where to listen for clients of the API server, host:port' },
    'api-server-socket': { type: 'string', help: 'gateway: the unix socket where it serves them' },
    'load-balancer-prefix': {
      type: 'string',
      help: 'gateway with --dial-sockets: 127.64.0 listens at 127.64.0.201 in the place of a load balancer at x.x.x.201',
    },
  },
  run: async ({ flags, log, clock, signal, health, metrics, debug }) => {
    const connection = await readKubeconfig(flags.kubeconfig)
    if (flags.proxyMode === 'gateway') {
      const { apiServerListen, apiServerSocket } = flags
      if (apiServerListen !== undefined && apiServerSocket !== undefined) {
        await forwardToSocket(parseHostPort(apiServerListen), apiServerSocket, { log, signal })
      }
      const client = new ApiClient({ ...connection, userAgent: gatewayName })
      return await startGateway({ client, clock, log, health, debug, ...waysOf(flags) }, signal)
    }
    const { nodeName: name, nodeAddress: address, clusterCidr } = flags
    if (name === undefined || address === undefined) throw new FlagError('--node-name and --node-address are needed')
    const client = new ApiClient({ ...connection, userAgent: proxyName(name) })
    const mode = flags.proxyMode as ProxyMode
    const dialSocket = flags.dialSocket === undefined ? undefined : new DialSocket(log)
    if (flags.dialSocket !== undefined) await dialSocket?.listen(flags.dialSocket)
    const node = { name, address }
    await startProxy({ client, clock, log, health, metrics, debug, node, mode, clusterCidr }, signal)
    await dialSocket?.close()
  },
})

interface GatewayFlags {
  forward: string[]
  switchCidr?: string | undefined
  dialSockets?: string | undefined
  loadBalancerPrefix?: string | undefined
}

/** How the gateway reaches nodes and load balancers: by routes, or through the nodes' sockets. */
function waysOf({ switchCidr, dialSockets, loadBalancerPrefix: prefix, forward }: GatewayFlags) {
  const nodePortAddress = '127.0.0.1'
  if (dialSockets === undefined) {
    if (switchCidr === undefined) throw new FlagError('--proxy-mode=gateway needs --switch-cidr or --dial-sockets')
    return { nodePortAddress, routes: new Routes(switchCidr) }
  }
  const dial: Dial = (backend) => dialThrough(join(dialSockets, `proxy-${backend.node}.sock`), backend)
  const listenFor = (address: string): string | undefined =>
    prefix === undefined ? undefined : `${prefix}.${address.split('.').at(-1)}`
  return { nodePortAddress, dial, listenFor, forwards: forward.map(forwardOf) }
}

function forwardOf(text: string): Forward {
  const [listen = '', target = ''] = text.split('=')
  return { listen: parseHostPort(listen), target: parseHostPort(target) }
}
