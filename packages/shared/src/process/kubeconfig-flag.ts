/** The flag of every process that asks the API server, named as upstream's is. */

import type { FlagSpec } from './flags.ts'

export const kubeconfigFlag = {
  kubeconfig: { type: 'string', required: true, help: 'the file that says where the API server is, and who we are' },
} as const satisfies FlagSpec
