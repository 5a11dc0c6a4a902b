/**
 * What a verb of `dinghy kubectl` is, and what it is given.
 */

import type { ApiClient } from '@dinghy/shared/client/api-client'
import type { Flags, VerbShape } from '../command-line/verbs.ts'

export interface KubectlContext {
  client: ApiClient
  /** From -n; "default" otherwise, as in our kubeconfig. */
  namespace: string
  allNamespaces: boolean
  flags: Flags
  args: string[]
  /** What stands behind `--`: the command of exec. */
  rest: string[]
  signal: AbortSignal
}

export interface Verb extends VerbShape {
  run(context: KubectlContext): Promise<number>
}
