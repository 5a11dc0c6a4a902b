// What `up` does to a service's containers: a pure function from what the file wants and what is there to actions.
//
// Invariant: applied to its own result the plan keeps everything. A container whose configuration hash and image are
// still right is left alone (or started); any other is replaced under its own number; surplus ones go, the highest
// numbers first.

import type { Service } from './model.ts'
import { configHash, label } from './spec.ts'

export interface Observed {
  id: string
  name: string
  state: string
  labels: Record<string, string>
}

export type Action =
  | { kind: 'create'; number: number }
  | { kind: 'recreate'; number: number; old: Observed }
  | { kind: 'start'; container: Observed }
  | { kind: 'keep'; container: Observed }
  | { kind: 'remove'; container: Observed }

export interface PlanOptions {
  scale?: number
  forceRecreate?: boolean
  noRecreate?: boolean
}

export function planService(
  service: Service,
  imageId: string,
  observed: Observed[],
  options: PlanOptions = {},
): Action[] {
  const wanted = options.scale ?? service.replicas
  const existing = observed.toSorted((a, b) => numberOf(a) - numberOf(b))
  const kept = existing.slice(0, wanted)
  const used = new Set(kept.map(numberOf))
  const actions = kept.map((container): Action => {
    if (!options.noRecreate && (options.forceRecreate || isOutdated(service, imageId, container))) {
      return { kind: 'recreate', number: numberOf(container), old: container }
    }
    return container.state === 'running' ? { kind: 'keep', container } : { kind: 'start', container }
  })
  for (let number = 1; actions.length < wanted; number++) {
    if (!used.has(number)) actions.push({ kind: 'create', number })
  }
  const surplus = existing.slice(wanted).toReversed()
  return [...surplus.map((container): Action => ({ kind: 'remove', container })), ...actions]
}

function isOutdated(service: Service, imageId: string, { labels }: Observed): boolean {
  return labels[label.hash] !== configHash(service) || labels[label.image] !== imageId
}

export const numberOf = ({ labels }: Observed): number => Number(labels[label.number] ?? 1)
