/**
 * `dinghy kubectl`: the few verbs a lab needs, for machines that lack the real kubectl. It asks the API server the way
 * the real one does (discovery, server-side Tables, patches, watch) and prints the same lines. What it does not know
 * it says, and points at the real one; it never guesses.
 */

import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { ApiClient } from '@dinghy/shared/client/api-client'
import { loadKubeconfig } from '@dinghy/shared/client/kubeconfig'
import type { KubectlContext, Verb } from './verb.ts'
import { type Command, type Flags, UsageError } from '../command-line/command.ts'

const commonFlags = {
  cluster: { type: 'string' },
  'state-dir': { type: 'string' },
  kubeconfig: { type: 'string' },
  namespace: { type: 'string', short: 'n' },
  'all-namespaces': { type: 'boolean', short: 'A' },
} as const

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

/** `clusterKubeconfig` tells where the kubeconfig of the cluster is that --cluster and --state-dir name. */
export function kubectl(clusterKubeconfig: (flags: Flags) => string): Command {
  return {
    usage: `kubectl ${Object.keys(verbs).join('|')} …`,
    summary: 'a small kubectl for machines that lack the real one',
    passThrough: true,
    async run(_flags, [name, ...words]) {
      const load = name !== undefined && Object.hasOwn(verbs, name) ? verbs[name] : undefined
      if (!load)
        throw new UsageError(`this small kubectl knows ${Object.keys(verbs).join(', ')}; for more use the real one`)
      const verb = await load()
      const end = words.indexOf('--')
      const [own, rest] = end < 0 ? [words, []] : [words.slice(0, end), words.slice(end + 1)]
      if (own.includes('--help')) {
        console.log(`dinghy kubectl ${verb.usage}`)
        return 0
      }
      const { values, positionals } = parse(verb, own)
      return verb.run({ ...contextOf(values, clusterKubeconfig), args: positionals, rest })
    },
  }
}

function parse(verb: Verb, args: string[]): { values: Flags; positionals: string[] } {
  try {
    const { values, positionals } = parseArgs({
      args,
      options: { ...commonFlags, ...verb.flags },
      allowPositionals: true,
    })
    return { values, positionals }
  } catch (error) {
    throw UsageError.of(error, `kubectl ${verb.usage}`)
  }
}

function contextOf(flags: Flags, clusterKubeconfig: (flags: Flags) => string): Omit<KubectlContext, 'args' | 'rest'> {
  const path = (flags['kubeconfig'] as string | undefined) ?? process.env['KUBECONFIG'] ?? clusterKubeconfig(flags)
  if (!existsSync(path)) throw new UsageError(`there is no kubeconfig at ${path}; \`dinghy up\` makes one`)
  const interrupted = new AbortController()
  process.once('SIGINT', () => interrupted.abort())
  return {
    client: new ApiClient({ server: loadKubeconfig(path).server, userAgent: 'dinghy-kubectl' }),
    namespace: (flags['namespace'] as string | undefined) ?? 'default',
    allNamespaces: Boolean(flags['all-namespaces']),
    flags,
    signal: interrupted.signal,
  }
}
