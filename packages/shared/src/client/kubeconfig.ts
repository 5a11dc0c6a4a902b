/**
 * kubeconfig: how kubectl, Helm and client libraries find the cluster.
 *
 * Callers may rely on: writing keeps whatever else is in the file (other clusters, users, contexts), replaces our own
 * entries, makes ours the current context, and never leaves half a file behind.
 * The entries are named dinghy-<cluster>.
 */

import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { parse, stringify } from 'yaml'

type Entry<K extends string, V> = { name: string } & Partial<Record<K, V>>

interface Kubeconfig {
  apiVersion: 'v1'
  kind: 'Config'
  clusters?: Entry<'cluster', { server?: string; [field: string]: unknown }>[]
  users?: Entry<'user', Record<string, unknown>>[]
  contexts?: Entry<'context', { cluster?: string; user?: string; namespace?: string }>[]
  'current-context'?: string
  [field: string]: unknown
}

/** The server of the current context. Throws when the file does not say. */
export function loadKubeconfig(path: string): { server: string } {
  const config = parse(readFileSync(path, 'utf8')) as Kubeconfig
  const name = config['current-context']
  const context = config.contexts?.find((entry) => entry.name === name)?.context
  const server = config.clusters?.find((entry) => entry.name === context?.cluster)?.cluster?.server
  if (!server) throw new Error(`${path}: the current context${name ? ` "${name}"` : ''} names no server`)
  return { server }
}

export function writeKubeconfig(path: string, { cluster, server }: { cluster: string; server: string }): void {
  const name = `dinghy-${cluster}`
  const config: Kubeconfig = { apiVersion: 'v1', kind: 'Config', ...readIfPresent(path) }
  // client-node refuses plain http:// unless it is told that it may be insecure; kubectl does not mind.
  const clusterEntry = { name, cluster: { server, 'insecure-skip-tls-verify': true } }
  const contextEntry = { name, context: { cluster: name, user: name, namespace: 'default' } }
  config.clusters = withEntry(config.clusters, clusterEntry)
  config.users = withEntry(config.users, { name, user: {} })
  config.contexts = withEntry(config.contexts, contextEntry)
  config['current-context'] = name

  mkdirSync(dirname(path), { recursive: true })
  const temporary = `${path}.${process.pid}.tmp`
  writeFileSync(temporary, stringify(config), { mode: 0o600 })
  renameSync(temporary, path)
}

function withEntry<E extends { name: string }>(entries: E[] | undefined, entry: E): E[] {
  return [...(entries ?? []).filter((other) => other.name !== entry.name), entry]
}

function readIfPresent(path: string): Partial<Kubeconfig> {
  try {
    return (parse(readFileSync(path, 'utf8')) as Kubeconfig | null) ?? {}
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {}
    throw error
  }
}
