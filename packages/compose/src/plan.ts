/**
 * What `up` does to a service's containers: a pure function from what the file wants and what is there to actions.
 *
 * Invariant: applied to its own result the plan keeps everything. A container whose configuration hash and image are
 * still right is left alone; any other is replaced under its own number; surplus ones go, the highest numbers first.
 */

import { label } from './labels.ts'

export interface Observed {
  id: string
  name: string
  labels: Record<string, string>
}

export type Action<T extends Observed = Observed> =
  | { kind: 'create'; number: number }
  | { kind: 'recreate'; number: number; old: T }
  | { kind: 'keep'; container: T }
  | { kind: 'remove'; container: T }

export interface Wanted {
  count: number
  hash: string
  imageId: string
  /** When to replace a container: if it is not what the file says, always, or never. */
  recreate: 'changed' | 'always' | 'never'
}

export function planService<T extends Observed>(wanted: Wanted, observed: T[]): Action<T>[] {
  const existing = observed.toSorted((a, b) => numberOf(a) - numberOf(b))
  const kept = existing.slice(0, wanted.count)
  const actions = kept.map((container): Action<T> => {
    const number = numberOf(container)
    return mustReplace(wanted, container) ? { kind: 'recreate', number, old: container } : { kind: 'keep', container }
  })
  const used = new Set(kept.map(numberOf))
  for (let number = 1; actions.length < wanted.count; number++) {
    if (!used.has(number)) actions.push({ kind: 'create', number })
  }
  const surplus = existing.slice(wanted.count).toReversed()
  return [...surplus.map((container): Action<T> => ({ kind: 'remove', container })), ...actions]
}

function mustReplace({ recreate, hash, imageId }: Wanted, { labels }: Observed): boolean {
  if (recreate !== 'changed') return recreate === 'always'
  return labels[label.hash] !== hash || labels[label.image] !== imageId
}

export function numberOf({ labels }: Observed): number {
  return Number(labels[label.number] ?? 1)
}
