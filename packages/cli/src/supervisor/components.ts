/**
 * Which processes make up a cluster, and with which arguments: pure, from the cluster's configuration.
 *
 * This table is the answer to "what runs here?". The order is the one in which they are shown; nothing depends on
 * it, because every component retries until the ones it needs are there.
 */

import { dirname, join } from 'node:path'
import { type Settings, settingsFor } from '../cluster/settings.ts'
import type { ClusterConfig, StateDir } from '../cluster/state-dir.ts'
import { addressesOf } from '../cluster/addresses.ts'
import { ingressFlags } from '../cluster/ingress-flags.ts'
import { machineName } from '../machines/plan.ts'
import { componentEntry, runtimeLauncher, waysThroughSockets } from './launchers.ts'
import { numbered } from '../cluster/nodes.ts'
import { UsageError } from '@dinghy/clients/command-line/command'

export interface ComponentSpec {
  name: string
  /** What kind of process it is: the package that it comes from. */
  kind: string
  /** The node this component belongs to; `dinghy node stop` stops exactly those. */
  node?: string
  /** A command that turns into the process when it is given the process' own. */
  launcher?: string[]
  args: string[]
  /** Started when all others are ready: nobody waits for it. */
  isLate?: boolean
  /** Flags that say how the processes find one another: not for changing. */
  fixed: string[]
}

type FlagValues = Record<string, string>

export function apiServerUrl(config: Pick<ClusterConfig, 'apiPort'>): string {
  return `https://127.0.0.1:${config.apiPort}`
}

export function componentsOf(config: ClusterConfig, state: StateDir): ComponentSpec[] {
  const authority = join(state.pki, 'ca.crt')
  const identityOf = (name: string) => ({ kubeconfig: state.identity(name) })
  const component = (
    name: string,
    kind: string,
    flags: FlagValues,
    defaults: FlagValues = {},
    namespace?: string,
  ): ComponentSpec => {
    // In a network of its own a process' loopback address leads nowhere else.
    const debug: FlagValues = namespace === undefined ? {} : { 'debug-address': `unix:${state.debugSocket(name)}` }
    const wiring = { ...flags, ...debug }
    const level: FlagValues = config.logLevel === undefined ? {} : { 'log-level': config.logLevel }
    const fixed = ['exit-with-parent', 'run-file', 'check-flags', 'accept-data-loss', ...Object.keys(wiring)]
    const settings = settingsFor(config.settings ?? {}, kind, name)
    const refused = fixed.find((flag) => Object.hasOwn(settings, flag))
    if (refused !== undefined) throw new UsageError(`${name}.${refused} cannot be set: \`dinghy up\` decides it`)
    const chosen = { ...wiring, ...defaults, ...level, ...settings }
    const words = Object.entries(chosen).flatMap(([flag, value]) => [`--${flag}=${value}`])
    return {
      name,
      kind,
      fixed,
      ...(namespace === undefined ? {} : { launcher: ['nsenter', `--net=${join(state.machines, namespace)}`] }),
      args: [componentEntry(kind), ...words, '--exit-with-parent', '--run-file', state.runFile(name)],
    }
  }
  // One identity for all processes that this component ever has: at most one of them lives at a time, so a new one need
  // not wait until the lease of the one that died has run out.
  const elected = (name: string): FlagValues => ({
    'leader-elect': 'true',
    'leader-elect-identity': `dinghy_${name}`,
  })
  const { dns: hasDns = false } = config
  const addresses = addressesOf(config)
  const { apiPort } = config
  const isMachines = config.network === 'machines'
  /** Where all live that belong to no node, if that is a namespace. */
  const machine = config.rootless ? machineName : undefined
  const apiAddresses = [
    `127.0.0.1:${apiPort}`,
    ...(isMachines ? [`${addresses.machine}:${apiPort}`] : []),
    ...(config.rootless ? [`unix:${state.apiServerSocket}`] : []),
  ]
  const cluster: ComponentSpec[] = [
    component(
      'api-server',
      'api-server',
      {
        listen: apiAddresses.join(','),
        ...(isMachines ? { 'advertise-address': addresses.machine } : {}),
        database: state.database,
        'service-cidr': addresses.serviceRange,
        'tls-cert-file': join(state.pki, 'apiserver.crt'),
        'tls-private-key-file': join(state.pki, 'apiserver.key'),
        'client-ca-file': authority,
        'admin-socket': state.adminSocket,
        'service-account-signing-key-file': join(state.pki, 'sa.key'),
        'kubelet-certificate-authority': authority,
        'kubelet-client-certificate': join(state.pki, 'apiserver-kubelet-client.crt'),
        'kubelet-client-key': join(state.pki, 'apiserver-kubelet-client.key'),
        ...(hasDns ? { 'cluster-dns': addresses.dnsService, 'cluster-dns-endpoint': addresses.dnsListen } : {}),
        'requestheader-client-ca-file': join(state.pki, 'front-proxy-ca.crt'),
        'proxy-client-cert-file': join(state.pki, 'front-proxy-client.crt'),
        'proxy-client-key-file': join(state.pki, 'front-proxy-client.key'),
      },
      {
        // As kubeadm's clusters.
        'authorization-mode': 'Node,RBAC',
        // Upstream waits 300 s before it moves pods off a lost node; nobody watches a lab for that long.
        'default-toleration-seconds': '10',
      },
      machine,
    ),
    component('scheduler', 'scheduler', identityOf('scheduler'), elected('scheduler'), machine),
    component(
      'controller',
      'controller',
      {
        ...identityOf('controller-manager'),
        'root-ca-file': authority,
        'cluster-signing-cert-file': authority,
        'cluster-signing-key-file': join(state.pki, 'ca.key'),
        'volume-root': join(state.root, 'volumes'),
        ...(addresses.loadBalancerPool ? { 'load-balancer-pool': addresses.loadBalancerPool } : {}),
      },
      elected('controller'),
      machine,
    ),
    {
      ...component(
        'runtime',
        'runtime',
        { socket: state.dockerSocket, root: state.runtimeRoot, driver: config.driver },
        // For `docker run`; pods are on networks of their nodes' own, which are loopback networks.
        { network: 'auto' },
      ),
      launcher: runtimeLauncher(state.runtimeRoot, config.driver),
    },
    ...(hasDns ? [component('dns', 'dns', { ...identityOf('dns'), listen: addresses.dnsListen }, {}, machine)] : []),
    {
      ...component('ingress', 'ingress', { ...identityOf('ingress'), ...ingressFlags(config) }, {}, machine),
      isLate: true,
    },
    ...(isMachines
      ? [
          {
            ...component('gateway', 'proxy', {
              'proxy-mode': 'gateway',
              ...identityOf('gateway'),
              ...(config.rootless ? waysThroughSockets(config, state) : { 'switch-cidr': addresses.nodeRange }),
            }),
            // An ordinary user has no other way to the API server.
            isLate: !config.rootless,
          },
        ]
      : []),
  ]
  const nodes = numbered(config.nodes).flatMap(({ name, number }): ComponentSpec[] => {
    const node = { 'node-name': name, 'node-address': addresses.node(number) }
    const namespace = isMachines ? name : undefined
    const agentFlags: FlagValues = {
      ...node,
      ...(isMachines ? { network: 'cni', 'network-namespace': join(state.machines, name) } : {}),
      ...identityOf(`kubelet-${name}`),
      'tls-cert-file': join(state.kubeletPki(name), 'kubelet.crt'),
      'tls-private-key-file': join(state.kubeletPki(name), 'kubelet.key'),
      'client-ca-file': authority,
      'pod-cidr': addresses.podCidr(number),
      ...(hasDns ? { 'cluster-dns': addresses.dnsService } : {}),
      'docker-socket': state.dockerSocket,
      root: state.nodeRoot(name),
      'log-directory': dirname(state.log(name)),
    }
    // Not fixed, so that one can see what a node without nft does.
    const mode: FlagValues = isMachines ? { 'proxy-mode': config.nft ? 'nftables' : 'userspace' } : {}
    const podRange: FlagValues = isMachines ? { 'cluster-cidr': addresses.podRange } : {}
    const dialSocket: FlagValues = config.rootless ? { 'dial-socket': state.dialSocket(name) } : {}
    const proxyFlags = { ...node, ...podRange, ...dialSocket, ...identityOf('proxy') }
    const specs = [
      component(`node-agent-${name}`, 'node-agent', agentFlags, {}, namespace),
      component(`proxy-${name}`, 'proxy', proxyFlags, mode, namespace),
    ]
    return specs.map((spec) => ({ ...spec, node: name }))
  })
  const all = [...cluster, ...nodes]
  refuseUnknown(config.settings ?? {}, all)
  return all
}

function refuseUnknown(settings: Settings, specs: ComponentSpec[]): void {
  const kinds = [...new Set(specs.map(({ kind }) => kind))]
  const known = new Set([...kinds, ...specs.map(({ name }) => name)])
  const unknown = Object.keys(settings).find((component) => !known.has(component))
  if (unknown !== undefined) {
    throw new UsageError(`there is no component "${unknown}" to set flags of; there are ${kinds.join(', ')}`)
  }
}
