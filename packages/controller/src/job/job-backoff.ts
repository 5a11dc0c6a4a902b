/**
 * The pause after failures: 10 s, 20 s, 40 s, … up to 10 minutes, counted from the last failure; a success ends the
 * series. Pure, and read from the pods themselves: upstream keeps the series in memory and loses it in a restart;
 * here it is shortened when somebody deletes failed pods.
 */

import type { Pod } from '@dinghy/shared/api/types'

const firstMs = 10_000
const longestMs = 10 * 60_000

/** How much longer no new pod should be created; 0 if it may be now. */
export function backoffMs(pods: Pod[], now: number): number {
  const ends = pods
    .filter(({ status }) => status.phase === 'Failed' || status.phase === 'Succeeded')
    .map((pod) => ({ isFailure: pod.status.phase === 'Failed', at: finishedMs(pod) }))
    .sort((a, b) => b.at - a.at)
  const lastSuccess = ends.findIndex(({ isFailure }) => !isFailure)
  const series = lastSuccess < 0 ? ends : ends.slice(0, lastSuccess)
  const [last] = series
  if (!last) return 0
  const pause = Math.min(firstMs * 2 ** (series.length - 1), longestMs)
  return Math.max(0, last.at + pause - now)
}

/** The end of its last container; where that is not told, the last thing that is known to have happened to the pod. */
function finishedMs({ metadata, status }: Pod): number {
  const ends = (status.containerStatuses ?? []).map(({ state }) => Date.parse(state?.terminated?.finishedAt ?? ''))
  const known = ends.filter((end) => !Number.isNaN(end))
  if (known.length > 0) return Math.max(...known)
  const changed = status.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime
  return Date.parse(metadata.deletionTimestamp ?? changed ?? metadata.creationTimestamp)
}
