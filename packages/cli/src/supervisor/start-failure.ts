/**
 * When a start has failed for good: a component ends again and again and has never been ready, or the disk is full.
 * Restarting it for ever would only repeat its words.
 */

import { diskTrouble } from '../cluster/disk.ts'
import type { StateDir } from '../cluster/state-dir.ts'
import type { ComponentStatus } from './component.ts'
import { lastWords } from './last-words.ts'

/** With the pauses between restarts these are about four seconds, in which what was only late would have come. */
const mostRestarts = 6

/** Why this start will not succeed, in the component's own words; undefined while it may. */
export function startFailure(
  statuses: ComponentStatus[],
  state: StateDir,
  disk: (directory: string) => string | undefined = diskTrouble,
): string | undefined {
  const failing = statuses.find(({ restarts, settled, stopped }) => restarts >= mostRestarts && !settled && !stopped)
  if (!failing) return undefined
  const log = state.log(failing.name)
  const reason = disk(state.root) ?? lastWords(log) ?? 'it does not say why'
  return `${failing.name} ended ${failing.restarts} times (${reason}); see ${log}`
}
