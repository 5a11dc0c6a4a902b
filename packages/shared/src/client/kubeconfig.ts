/**
 * kubeconfig, reading: how a client finds a cluster's API server, and shows who it is.
 *
 * Callers may rely on: paths in the file count from its directory, as with kubectl; what is asked for and not done here
 * (exec plugins, auth providers, passwords) is an error and not an anonymous client. kubeconfig-file.ts writes.
 */

import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { ClientTls } from '../http/client.ts'

export type NamedEntry<K extends string, V> = { name: string } & Partial<Record<K, V>>

export interface KubeconfigCluster {
  server?: string
  'certificate-authority'?: string
  'certificate-authority-data'?: string
  'insecure-skip-tls-verify'?: boolean
  'tls-server-name'?: string
  [field: string]: unknown
}

export interface KubeconfigUser {
  'client-certificate'?: string
  'client-certificate-data'?: string
  'client-key'?: string
  'client-key-data'?: string
  token?: string
  tokenFile?: string
  [field: string]: unknown
}

export interface Kubeconfig {
  apiVersion: 'v1'
  kind: 'Config'
  clusters?: NamedEntry<'cluster', KubeconfigCluster>[]
  users?: NamedEntry<'user', KubeconfigUser>[]
  contexts?: NamedEntry<'context', { cluster?: string; user?: string; namespace?: string }>[]
  'current-context'?: string
  [field: string]: unknown
}

/** What an ApiClient needs to know. */
export interface Credentials {
  server: string
  tls?: ClientTls
  token?: string
  /** Of the context, if it names one. */
  namespace?: string
}

/** The current context of a file. Throws when it leads nowhere. */
export async function readKubeconfig(path: string): Promise<Credentials> {
  return credentialsOf(await parseKubeconfig(readFileSync(path, 'utf8')), path)
}

/** JSON is YAML, too, and what components are given: they need not load a reader of YAML. */
export async function parseKubeconfig(text: string): Promise<Partial<Kubeconfig>> {
  if (text.trimStart().startsWith('{')) return JSON.parse(text) as Kubeconfig
  const { parse } = await import('yaml')
  return (parse(text) as Kubeconfig | null) ?? {}
}

function credentialsOf(config: Partial<Kubeconfig>, path: string): Credentials {
  const name = config['current-context']
  const context = config.contexts?.find((entry) => entry.name === name)?.context
  const cluster = config.clusters?.find((entry) => entry.name === context?.cluster)?.cluster
  const user = config.users?.find((entry) => entry.name === context?.user)?.user ?? {}
  if (!cluster?.server) throw new Error(`${path}: the current context${name ? ` "${name}"` : ''} names no server`)
  const unknown = ['exec', 'auth-provider', 'username'].find((field) => user[field] !== undefined)
  if (unknown !== undefined) throw new Error(`${path}: users with "${unknown}" are not supported`)
  const read = (file: string) => readFileSync(resolve(dirname(path), file), 'utf8')
  const pem = (data: string | undefined, file: string | undefined) =>
    data ? Buffer.from(data, 'base64').toString() : file && read(file)
  const ca = pem(cluster['certificate-authority-data'], cluster['certificate-authority'])
  const cert = pem(user['client-certificate-data'], user['client-certificate'])
  const key = pem(user['client-key-data'], user['client-key'])
  const servername = cluster['tls-server-name']
  const token = user.token ?? (user.tokenFile && read(user.tokenFile).trim())
  const tls = {
    ...(ca ? { ca } : {}),
    ...(cert ? { cert } : {}),
    ...(key ? { key } : {}),
    ...(servername ? { servername } : {}),
    ...(cluster['insecure-skip-tls-verify'] ? { rejectUnauthorized: false } : {}),
  }
  return {
    server: cluster.server,
    ...(cluster.server.startsWith('https:') ? { tls } : {}),
    ...(token ? { token } : {}),
    ...(context?.namespace ? { namespace: context.namespace } : {}),
  }
}
