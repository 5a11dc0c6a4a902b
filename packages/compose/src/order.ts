/**
 * The order that `depends_on` asks for: what others need comes first, and whatever is independent goes side by side. A
 * service waits only for its own dependencies, not for its neighbours.
 */

import { ComposeError } from './compose-error.ts'
import type { Service } from './model.ts'

type Services = Record<string, Service>

/** Each service once all that it depends on is done. When one fails the rest is told by `signal`, and awaited. */
export function inDependencyOrder(
  services: Services,
  work: (service: Service, signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  return walk(services, ({ depends_on }) => Object.keys(depends_on), work, signal)
}

/** Each service once all that depend on it are done. */
export function inReverseOrder(
  services: Services,
  work: (service: Service, signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const dependents = ({ name }: Service) =>
    Object.values(services).flatMap((other) => (name in other.depends_on ? [other.name] : []))
  return walk(services, dependents, work, signal)
}

async function walk(
  services: Services,
  before: (service: Service) => string[],
  work: (service: Service, signal: AbortSignal) => Promise<void>,
  outer: AbortSignal,
): Promise<void> {
  const failure = new AbortController()
  const signal = AbortSignal.any([outer, failure.signal])
  const visits = new Map<string, Promise<void>>()
  const visit = (service: Service): Promise<void> => {
    const known = visits.get(service.name)
    if (known) return known
    const earlier = before(service).flatMap((name) => services[name] ?? [])
    const done = Promise.all(earlier.map(visit)).then(() => work(service, signal))
    done.catch((error: unknown) => failure.abort(error))
    visits.set(service.name, done)
    return done
  }
  await Promise.allSettled(Object.values(services).map(visit))
  if (failure.signal.aborted) throw failure.signal.reason
}

/** Throws when services depend on one another in a circle. Pure. */
export function checkAcyclic(services: Services): void {
  const settled = new Set<string>()
  const visit = (name: string, path: string[]): void => {
    if (path.includes(name))
      throw new ComposeError(`dependency cycle detected: ${[...path.slice(path.indexOf(name)), name].join(' -> ')}`)
    if (settled.has(name)) return
    for (const dependency of Object.keys(services[name]?.depends_on ?? {})) visit(dependency, [...path, name])
    settled.add(name)
  }
  for (const name of Object.keys(services)) visit(name, [])
}
