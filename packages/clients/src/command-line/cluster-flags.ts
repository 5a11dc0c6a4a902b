/**
 * How the small clients are pointed at a cluster: the same flags as every command of `dinghy` has. What they lead to,
 * the program knows that has clusters.
 */

import type { Flags, FlagTable } from './verbs.ts'

export const clusterFlags = {
  cluster: { type: 'string', value: 'name', help: 'which cluster (default: "dinghy")' },
  'state-dir': { type: 'string', value: 'dir', help: 'where it lives' },
} as const satisfies FlagTable

/** Where the parts of the cluster are that these flags name. */
export type ClusterPaths = (flags: Flags) => { dockerSocket: string; kubeconfig: string }

/** A cluster that is named counts more than what the environment says. */
export function namesCluster(flags: Flags): boolean {
  return flags['cluster'] !== undefined || flags['state-dir'] !== undefined
}
