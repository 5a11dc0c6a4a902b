/**
 * What every write carries besides the object: who, why, and whether it is only a rehearsal.
 */

import type { UserInfo } from '../auth/user.ts'
import { apiServerUser } from '../auth/user.ts'

export interface WriteContext {
  user: UserInfo
  /** The program that writes, as kept in the history: "kubectl-create", "deployment-controller", "kubelet/node-1". */
  actor: string
  /** The revision that made the actor write. */
  cause?: number | undefined
  /** Do everything, with all its errors, but do not store the outcome. */
  dryRun: boolean
  fieldManager?: string | undefined
  /** A server-side apply, which has settled who owns which field itself. */
  isApply?: boolean
  /** Admission has spoken already, of what the client sent: a Scale, a Binding, an Eviction. */
  isAdmitted?: boolean
  /** Shown to the client as a Warning header. */
  warn(message: string): void
  /** Notes something down for the audit log, if there is one. */
  annotate?(key: string, value: string): void
}

/**
 * The context of what the API server writes on its own account. Nobody is asked about that: a webhook whose pod does
 * not run yet must not keep the server from starting.
 */
export const serverContext: WriteContext = {
  user: apiServerUser,
  actor: 'api-server',
  dryRun: false,
  isAdmitted: true,
  warn: () => {},
}
