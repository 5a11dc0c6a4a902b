/**
 * kubeconfig, writing: how kubectl, Helm, client libraries and the cluster's own components are told where the cluster
 * is and who they are. Certificates are embedded, as kind and kubeadm do it.
 *
 * Callers may rely on: merging keeps whatever else is in the file (other clusters, users, contexts), replaces the entry
 * of the same name, makes it the current context, and never leaves half a file behind.
 */

import type { KeyPair } from '../pki/authority.ts'
import { readIfPresent, writeSecret } from '../pki/pair-files.ts'
import { type Kubeconfig, type KubeconfigUser, type NamedEntry, parseKubeconfig } from './kubeconfig.ts'

export interface Access {
  /** The name of the cluster, the user and the context, as in kind: "dinghy-test". */
  name: string
  /** Another name for the user than that. The context is then USER@NAME, as in kubeadm. */
  user?: string
  server: string
  /** The certificate of the authority that the server's own is signed by, as PEM. */
  authority: string
  identity: KeyPair
}

/** A file with nothing else in it. Pure. */
export function kubeconfigOf({ name, user, server, authority, identity }: Access): Kubeconfig {
  const context = user === undefined ? name : `${user}@${name}`
  const encode = (pem: string) => Buffer.from(pem).toString('base64')
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server, 'certificate-authority-data': encode(authority) } }],
    users: [
      {
        name: user ?? name,
        user: {
          'client-certificate-data': encode(identity.certificate),
          'client-key-data': encode(identity.key),
        },
      },
    ],
    contexts: [{ name: context, context: { cluster: name, user: user ?? name } }],
    'current-context': context,
  }
}

/** `added` on top of what is there; its context becomes the current one. Pure. */
export function mergeKubeconfig(present: Partial<Kubeconfig>, added: Kubeconfig): Kubeconfig {
  return {
    ...present,
    ...added,
    clusters: mergeEntries(present.clusters, added.clusters),
    users: mergeEntries(present.users, added.users),
    contexts: mergeEntries(present.contexts, added.contexts),
  }
}

/** For people: YAML, beside whatever else the file holds. */
export async function writeKubeconfig(path: string, added: Kubeconfig): Promise<void> {
  const present = await parseKubeconfig(readIfPresent(path) ?? '')
  writeSecret(path, await kubeconfigText(mergeKubeconfig(present, added)))
}

export async function kubeconfigText(config: Kubeconfig): Promise<string> {
  const { stringify } = await import('yaml')
  // Certificates are one long word; folded they could still be read, but not compared or copied.
  return stringify(config, { lineWidth: 0 })
}

/** For components: JSON, which is read without a reader of YAML. */
export function writeComponentKubeconfig(path: string, config: Kubeconfig): void {
  writeSecret(path, `${JSON.stringify(config, null, 2)}\n`)
}

/** The certificate and key that a file of kubeconfigOf() holds. */
export function identityIn(config: Partial<Kubeconfig>): KeyPair | undefined {
  const user: KubeconfigUser = config.users?.[0]?.user ?? {}
  const [certificate, key] = [user['client-certificate-data'], user['client-key-data']]
  if (certificate === undefined || key === undefined) return undefined
  const decode = (data: string) => Buffer.from(data, 'base64').toString()
  return { certificate: decode(certificate), key: decode(key) }
}

function mergeEntries<K extends string, V>(
  present: NamedEntry<K, V>[] | undefined,
  added: NamedEntry<K, V>[] | undefined,
): NamedEntry<K, V>[] {
  const names = (added ?? []).map(({ name }) => name)
  return [...(present ?? []).filter(({ name }) => !names.includes(name)), ...(added ?? [])]
}
