/**
 * `dinghy kubectl`: the few verbs a lab needs, for machines that lack the real kubectl. It asks the API server the way
 * the real one does (discovery, server-side Tables, patches, watch) and prints the same lines. What it does not know
 * it says, and points at the real one; it never guesses.
 */

import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { StatusError } from '@dinghy/shared/api/errors'
import { ApiClient } from '@dinghy/shared/client/api-client'
import { readKubeconfig } from '@dinghy/shared/client/kubeconfig'
import { clusterFlags, type ClusterPaths, namesCluster } from '../command-line/cluster-flags.ts'
import { UsageError } from '../command-line/command.ts'
import { type Flags, type FlagTable, verbsCommand } from '../command-line/verbs.ts'
import type { KubectlContext, Verb } from './verb.ts'

const commonFlags: FlagTable = {
  namespace: { type: 'string', short: 'n', value: 'name', help: 'of the objects (default: "default")' },
  'all-namespaces': { type: 'boolean', short: 'A', help: 'in every namespace' },
  kubeconfig: { type: 'string', value: 'file', help: 'which cluster (default: $KUBECONFIG)' },
  ...clusterFlags,
}

const verbs: Record<string, () => Promise<Verb>> = {
  get: async () => (await import('./get.ts')).get,
  describe: async () => (await import('./describe.ts')).describe,
  apply: async () => (await import('./apply.ts')).apply,
  delete: async () => (await import('./delete.ts')).deleteVerb,
  logs: async () => (await import('./logs.ts')).logs,
  exec: async () => (await import('./exec.ts')).exec,
  scale: async () => (await import('./scale.ts')).scale,
  rollout: async () => (await import('./rollout.ts')).rollout,
}

/** `pathsOf` tells where the kubeconfig of a cluster is. */
export function kubectl(pathsOf: ClusterPaths, words: string[] | 'all'): Promise<Command> {
  // What stands behind `--` is the command of exec, whatever it looks like.
  const end = words === 'all' ? -1 : words.indexOf('--')
  const rest = words === 'all' || end < 0 ? [] : words.slice(end + 1)
  const options = {
    name: 'kubectl',
    description: 'A small kubectl for machines that lack the real one.',
    examples: ['dinghy kubectl get pods -o wide', 'dinghy kubectl apply -f web.yaml', 'dinghy kubectl get --help'],
    verbs,
    flags: commonFlags,
  }
  async function run(verb: Verb, flags: Flags, typed: string[]): Promise<number> {
    const context = await contextOf(flags, pathsOf)
    const args = typed.slice(0, typed.length - rest.length)
    try {
      return await verb.run({ ...context, args, rest })
    } catch (error) {
      throw isNotThere(error)
        ? new Error(`no cluster is running at ${context.client.server}; \`dinghy up\` starts it`)
        : error
    }
  }
  return verbsCommand<Verb>({ ...options, run }, words)
}

async function contextOf(flags: Flags, pathsOf: ClusterPaths): Promise<Omit<KubectlContext, 'args' | 'rest'>> {
  const path = (flags['kubeconfig'] as string | undefined) ?? kubeconfigOf(flags, pathsOf)
  if (!existsSync(path)) throw new UsageError(`there is no kubeconfig at ${path}; \`dinghy up\` makes one`)
  const interrupted = new AbortController()
  process.once('SIGINT', () => interrupted.abort())
  const credentials = await readKubeconfig(path)
  return {
    client: new ApiClient({ ...credentials, userAgent: 'dinghy-kubectl' }),
    namespace: (flags['namespace'] as string | undefined) ?? credentials.namespace ?? 'default',
    allNamespaces: Boolean(flags['all-namespaces']),
    flags,
    signal: interrupted.signal,
  }
}

function kubeconfigOf(flags: Flags, pathsOf: ClusterPaths): string {
  const ofEnvironment = process.env['KUBECONFIG']
  return ofEnvironment && !namesCluster(flags) ? ofEnvironment : pathsOf(flags).kubeconfig
}

/** Nobody listens at the server's address. */
function isNotThere(error: unknown): boolean {
  const { cause } = error instanceof StatusError ? error : { cause: undefined }
  return cause instanceof Error && 'code' in cause && cause.code === 'ECONNREFUSED'
}
