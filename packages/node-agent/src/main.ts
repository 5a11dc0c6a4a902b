/**
 * The node agent process: the kubelet of one node. Its flags, and nothing else; node-agent.ts puts the parts together.
 * When it is told to stop it stops alone: the containers of its node run on, and the next agent finds them.
 */

import { readFileSync } from 'node:fs'
import { readKubeconfig } from '@dinghy/shared/client/kubeconfig'
import type { ServerTls } from '@dinghy/shared/http/listen-address'
import { FlagError } from '@dinghy/shared/process/flags'
import { kubeconfigFlag } from '@dinghy/shared/process/kubeconfig-flag'
import { runMain } from '@dinghy/shared/process/main'
import { runNodeAgent } from './node-agent.ts'
import { upstreamCrashLoop } from './containers/crash-loop.ts'

runMain({
  name: 'node-agent',
  flags: {
    ...kubeconfigFlag,
    'tls-cert-file': {
      type: 'string',
      help: 'the certificate of the kubelet server; without one it speaks plain HTTP and asks nobody who they are',
    },
    'tls-private-key-file': { type: 'string', help: 'the key of that certificate' },
    'client-ca-file': { type: 'string', help: 'the authority that signs the certificates of clients' },
    'node-name': { type: 'string', required: true, help: 'the name of the Node object' },
    'node-address': {
      type: 'string',
      required: true,
      help: "the node's own address; the kubelet server listens on it",
    },
    'pod-cidr': {
      type: 'string',
      required: true,
      help: 'the range that the pods of this node get their addresses from',
    },
    network: {
      type: 'string',
      default: 'loopback',
      oneOf: ['loopback', 'cni'],
      help: "where pods get their network from: the engine's networks, or the namespace that this agent lives in",
    },
    'network-namespace': { type: 'string', help: 'with cni: the file that holds that namespace, for hostNetwork pods' },
    'docker-socket': { type: 'string', required: true, help: 'the unix socket of the container runtime' },
    root: { type: 'string', required: true, help: 'the directory for volumes and other files of pods' },
    'log-directory': { type: 'string', help: 'where the components of the cluster log; served at /logs/' },
    'kubelet-port': { type: 'number', default: 10250, help: 'the port of the kubelet server' },
    'sandbox-image': {
      type: 'string',
      default: 'registry.k8s.io/pause:3.10',
      help: 'the image that holds a pod together',
    },
    'cluster-dns': { type: 'list', help: 'name servers for pods; without any, pods use those of the machine' },
    'cluster-domain': { type: 'string', default: 'cluster.local', help: 'the domain of cluster names' },
    'crash-loop-backoff-base': {
      type: 'duration',
      default: '10s',
      help: 'first delay of a container that keeps ending; it doubles up to 5m. Shorten it for workshops',
    },
    'lease-renew-interval': { type: 'duration', default: '3s', help: 'how often the node says that it is alive' },
    'node-status-update-frequency': { type: 'duration', default: '10s', help: 'how often the node looks at itself' },
    'relist-period': {
      type: 'duration',
      default: '5s',
      help: 'how often all containers are looked at, besides on every event of the runtime',
    },
    'runtime-grace-period': {
      type: 'duration',
      default: '10s',
      help: 'how long the runtime may be silent before the node is not Ready',
    },
    'runtime-request-timeout': {
      type: 'duration',
      default: '2m',
      help: 'how long a single call of the runtime may take, streams and the grace of a stop aside',
    },
  },
  async run({ flags, log, clock, signal, health }) {
    let isReady = () => false
    health.addCheck('node', () => isReady())
    await runNodeAgent(
      {
        credentials: await readKubeconfig(flags.kubeconfig),
        tls: serverTls(flags),
        node: flags.nodeName,
        address: flags.nodeAddress,
        podCidr: flags.podCidr,
        namespaceFile: namespaceFile(flags),
        kubeletPort: flags.kubeletPort,
        dockerSocket: flags.dockerSocket,
        root: flags.root,
        logDirectory: flags.logDirectory,
        sandboxImage: flags.sandboxImage,
        dns: { servers: flags.clusterDns, domain: flags.clusterDomain },
        crashLoop: { ...upstreamCrashLoop, baseMs: flags.crashLoopBackoffBase },
        leasePeriodMs: flags.leaseRenewInterval,
        statusPeriodMs: flags.nodeStatusUpdateFrequency,
        relistMs: flags.relistPeriod,
        runtimeGraceMs: flags.runtimeGracePeriod,
        runtimeTimeoutMs: flags.runtimeRequestTimeout,
        clock,
        log,
        onStarting: (check) => (isReady = check),
      },
      signal,
    )
  },
})

function namespaceFile(flags: { network: string; networkNamespace?: string | undefined }): string | undefined {
  if (flags.network !== 'cni') return undefined
  if (flags.networkNamespace === undefined) throw new FlagError('--network cni needs --network-namespace')
  return flags.networkNamespace
}

interface TlsFlags {
  tlsCertFile?: string | undefined
  tlsPrivateKeyFile?: string | undefined
  clientCaFile?: string | undefined
}

/** Clients are not turned away for want of a certificate: they may have a token. */
function serverTls({ tlsCertFile, tlsPrivateKeyFile, clientCaFile }: TlsFlags): ServerTls | undefined {
  if (tlsCertFile === undefined) return undefined
  if (tlsPrivateKeyFile === undefined || clientCaFile === undefined) {
    throw new FlagError('--tls-cert-file needs --tls-private-key-file and --client-ca-file')
  }
  const [cert, key, ca] = [tlsCertFile, tlsPrivateKeyFile, clientCaFile].map((path) => readFileSync(path, 'utf8'))
  return { cert, key, ca, requestCert: true, rejectUnauthorized: false }
}
