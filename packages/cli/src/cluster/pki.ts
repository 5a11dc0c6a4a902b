/**
 * The cluster's certificates, laid out as kubeadm lays them out: an authority, and for every process an identity of its
 * own.
 *
 *   pki/ca                         signs the others                               (as in /etc/kubernetes/pki)
 *   pki/apiserver                  what the API server shows to its clients
 *   pki/apiserver-kubelet-client   what it shows to kubelets
 *   pki/front-proxy-ca             signs front-proxy-client, which the API server shows to extension servers; an
 *                                  authority of its own, since they believe it whoever it says is asking
 *   pki/sa.key, sa.pub             sign and check the tokens of service accounts
 *   nodes/NODE/pki/kubelet         what the kubelet server of a node shows        (as in /var/lib/kubelet/pki)
 *   identities/NAME.conf           kubeconfig of a component, or of the administrator
 *
 * All of it is made at the first start. Later starts only look whether it still serves: a certificate is made again
 * when it is about to expire, when addresses have changed, or when its authority has.
 */

import { createPublicKey, X509Certificate } from 'node:crypto'
import { existsSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { identityIn, kubeconfigOf, writeComponentKubeconfig } from '@dinghy/shared/client/kubeconfig-file'
import type { Kubeconfig } from '@dinghy/shared/client/kubeconfig'
import { createAuthority, issueCertificate, type KeyPair } from '@dinghy/shared/pki/authority'
import { readIfPresent, readPair, writePair, writePublic, writeSecret } from '@dinghy/shared/pki/pair-files'
import { expiresSoon, whyRenew } from '@dinghy/shared/pki/renewal'
import { newSigningKey } from '@dinghy/shared/pki/signing-key'
import type { Subject } from '@dinghy/shared/pki/subject'
import { addressesOf } from './addresses.ts'
import { numbered } from './nodes.ts'
import type { ClusterConfig, StateDir } from './state-dir.ts'

const daySeconds = 86_400
/** As kubeadm's: ten years, and one. */
const authoritySeconds = 3650 * daySeconds
const certificateSeconds = 365 * daySeconds

const authorities = { ca: 'kubernetes', 'front-proxy-ca': 'front-proxy-ca' }
type AuthorityName = keyof typeof authorities

/** A certificate that is kept as a pair of files. */
interface WantedPair {
  directory: string
  name: string
  authority: AuthorityName
  subject: Subject
  usages: string[]
  names: string[]
}

const server = ['digital signature', 'key encipherment', 'server auth']
const client = ['digital signature', 'key encipherment', 'client auth']

/** Who is who, by the names that upstream's roles are bound to. Pure. */
export function identitiesOf(config: Pick<ClusterConfig, 'network' | 'nodes' | 'dns'>): Record<string, Subject> {
  const { network, nodes, dns } = config
  return {
    admin: { user: 'kubernetes-admin', groups: ['kubeadm:cluster-admins'] },
    'controller-manager': { user: 'system:kube-controller-manager', groups: [] },
    scheduler: { user: 'system:kube-scheduler', groups: [] },
    proxy: { user: 'system:kube-proxy', groups: [] },
    // Who leads to the nodes from outside of their networks.
    ...(network === 'machines' ? { gateway: { user: 'system:kube-proxy', groups: [] } } : {}),
    // kubeadm's CoreDNS runs as a pod, by this account.
    ...(dns ? { dns: { user: 'system:serviceaccount:kube-system:coredns', groups: ['system:serviceaccounts'] } } : {}),
    ingress: { user: 'dinghy:ingress', groups: [] },
    ...Object.fromEntries(
      nodes.map(({ name }) => [`kubelet-${name}`, { user: `system:node:${name}`, groups: ['system:nodes'] }]),
    ),
  }
}

/** How people, components and pods may call the API server. Pure. */
function apiServerNames(config: Pick<ClusterConfig, 'network' | 'slot'>): string[] {
  const { machine, kubernetesService } = addressesOf(config)
  return [
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    'kubernetes.default.svc.cluster.local',
    'localhost',
    '127.0.0.1',
    machine,
    kubernetesService,
    // Upstream's ordinary range of Services, which manifests and habits expect.
    ...(kubernetesService === '10.96.0.1' ? [] : ['10.96.0.1']),
  ]
}

function controlPlanePairs(config: ClusterConfig, state: StateDir): WantedPair[] {
  return [
    {
      directory: state.pki,
      name: 'apiserver',
      authority: 'ca',
      subject: { user: 'kube-apiserver', groups: [] },
      usages: server,
      names: apiServerNames(config),
    },
    {
      directory: state.pki,
      name: 'apiserver-kubelet-client',
      authority: 'ca',
      subject: { user: 'kube-apiserver-kubelet-client', groups: ['kubeadm:cluster-admins'] },
      usages: client,
      names: [],
    },
    {
      directory: state.pki,
      name: 'front-proxy-client',
      authority: 'front-proxy-ca',
      subject: { user: 'front-proxy-client', groups: [] },
      usages: client,
      names: [],
    },
  ]
}

function kubeletPairs(config: ClusterConfig, state: StateDir): WantedPair[] {
  return numbered(config.nodes).map(({ name, number }) => ({
    directory: state.kubeletPki(name),
    name: 'kubelet',
    authority: 'ca',
    subject: { user: `system:node:${name}`, groups: ['system:nodes'] },
    usages: server,
    names: [name, addressesOf(config).node(number)],
  }))
}

/** What the API server needs: makes what is not there, or does not serve any more. */
export function ensureControlPlanePki(config: ClusterConfig, state: StateDir, now: number): void {
  ensurePairs(controlPlanePairs(config, state), state, now)
  ensureSigningKey(state)
}

/** What all others need, likewise. `url` is how they reach the API server. */
export function ensureIdentities(config: ClusterConfig, state: StateDir, url: string, now: number): void {
  ensurePairs(kubeletPairs(config, state), state, now)
  const ca = ensureAuthority('ca', state, now)
  const validity = { now, expiresInSeconds: certificateSeconds }
  for (const [name, subject] of Object.entries(identitiesOf(config))) {
    const path = state.identity(name)
    const present = identityIn(JSON.parse(readIfPresent(path) ?? '{}') as Partial<Kubeconfig>)
    const serves = present && whyRenew(present, { authority: ca.certificate, subject, now }) === undefined
    const identity = serves ? present : issueCertificate(ca, { subject, usages: client, ...validity })
    const server = livesInNode(name) ? urlInNodes(config, url) : url
    const access = { name: clusterEntry(config), user: subject.user, server, authority: ca.certificate }
    writeComponentKubeconfig(path, kubeconfigOf({ ...access, identity }))
  }
}

function ensurePairs(wanted: WantedPair[], state: StateDir, now: number): void {
  const authorityOf = {
    ca: ensureAuthority('ca', state, now),
    'front-proxy-ca': ensureAuthority('front-proxy-ca', state, now),
  }
  const validity = { now, expiresInSeconds: certificateSeconds }
  for (const { directory, name, authority: signer, subject, usages, names } of wanted) {
    const authority = authorityOf[signer]
    const present = readPair(directory, name)
    const expected = { authority: authority.certificate, subject, names, now }
    const serves = present && whyRenew(present, expected) === undefined
    if (!serves) writePair(directory, name, issueCertificate(authority, { subject, usages, names, ...validity }))
  }
}

function livesInNode(identity: string): boolean {
  return identity === 'proxy' || identity.startsWith('kubelet-')
}

function urlInNodes(config: ClusterConfig, url: string): string {
  return config.network === 'machines' ? `https://${addressesOf(config).machine}:${config.apiPort}` : url
}

/** The administrator's own kubeconfig, or a new person's, whose certificate is made for it. */
export function kubeconfigFor(
  config: ClusterConfig,
  state: StateDir,
  url: string,
  person?: { subject: Subject; now: number; expiresInSeconds: number },
): Kubeconfig {
  const authority = readPair(state.pki, 'ca')
  if (!authority) throw new Error(`there is no authority in ${state.pki}; \`dinghy up\` makes it`)
  const access = { name: clusterEntry(config), server: url, authority: authority.certificate }
  if (person) {
    const identity = issueCertificate(authority, { ...person, usages: client })
    return kubeconfigOf({ ...access, user: person.subject.user, identity })
  }
  const identity = identityIn(JSON.parse(readIfPresent(state.identity('admin')) ?? '{}') as Partial<Kubeconfig>)
  if (!identity) throw new Error(`${state.identity('admin')} holds no certificate; \`dinghy up\` makes it`)
  return kubeconfigOf({ ...access, identity })
}

/** How the cluster is called in kubeconfig files: as kind does it. */
function clusterEntry({ cluster }: Pick<ClusterConfig, 'cluster'>): string {
  return `dinghy-${cluster}`
}

function ensureAuthority(name: AuthorityName, state: StateDir, now: number): KeyPair {
  const present = readPair(state.pki, name)
  if (present && !expiresSoon(new X509Certificate(present.certificate), now)) return present
  const made = createAuthority(authorities[name], { now, expiresInSeconds: authoritySeconds })
  writePair(state.pki, name, made)
  return made
}

function ensureSigningKey(state: StateDir): void {
  const path = join(state.pki, 'sa.key')
  // Where clusters had it before they had certificates. Tokens that are out must stay good.
  if (!existsSync(path) && existsSync(state.formerSigningKey)) renameSync(state.formerSigningKey, path)
  const present = readIfPresent(path)
  if (present === undefined) writeSecret(path, newSigningKey())
  const publicPath = join(state.pki, 'sa.pub')
  if (existsSync(publicPath)) return
  const publicKey = createPublicKey(readIfPresent(path) ?? '')
  writePublic(publicPath, publicKey.export({ type: 'spki', format: 'pem' }) as string)
}
