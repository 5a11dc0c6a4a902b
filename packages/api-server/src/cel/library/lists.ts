/**
 * Kubernetes' list functions and cel-go's sets. Follows k8s.io/apiserver/pkg/cel/library/lists.go and
 * cel-go/ext/sets.go.
 */

import { CelError } from '../cel-error.ts'
import { celEquals } from '../cel-values.ts'
import { spend } from '../cost-budget.ts'
import { type Library, registerFunctions, registerNamespace } from './library.ts'

type Ordered = bigint | number | string | boolean | Date

export function registerLists(library: Library): void {
  const { Duration } = library
  registerFunctions(library, {
    'list<A>.isSorted(): bool': (list: Ordered[]) =>
      list.every((element, i) => i === 0 || (list[i - 1] ?? element) <= element),
    'list<A>.sum(): A': (list: (bigint | number | InstanceType<typeof Duration>)[]) => {
      const [first] = list
      if (first === undefined) return 0n
      if (first instanceof Duration) {
        return list.slice(1).reduce<InstanceType<typeof Duration>>((sum, next) => {
          if (!(next instanceof Duration)) throw new CelError('no such overload')
          return sum.addDuration(next)
        }, first)
      }
      if (typeof first === 'bigint') return list.reduce((sum: bigint, next) => sum + whole(next), 0n)
      return list.reduce((sum: number, next) => sum + Number(next), 0)
    },
    'list<A>.min(): A': (list: Ordered[]) => extreme('min', list, (a, b) => a < b),
    'list<A>.max(): A': (list: Ordered[]) => extreme('max', list, (a, b) => a > b),
    'list<A>.indexOf(A): int': (list: unknown[], value: unknown) =>
      BigInt(list.findIndex((element) => celEquals(element, value))),
    'list<A>.lastIndexOf(A): int': (list: unknown[], value: unknown) =>
      BigInt(list.findLastIndex((element) => celEquals(element, value))),
  })
  registerNamespace(library, 'sets', {
    'contains(list, list): bool': (list: unknown[], sublist: unknown[]) => containsAll(list, sublist),
    'equivalent(list, list): bool': (a: unknown[], b: unknown[]) => containsAll(a, b) && containsAll(b, a),
    'intersects(list, list): bool': (a: unknown[], b: unknown[]) => {
      spend((a.length * b.length) / 10)
      return b.some((value) => a.some((element) => celEquals(element, value)))
    },
  })
}

function whole(value: unknown): bigint {
  if (typeof value !== 'bigint') throw new CelError('no such overload')
  return value
}

function extreme(name: string, list: Ordered[], isBetter: (a: Ordered, b: Ordered) => boolean): Ordered {
  const [first, ...rest] = list
  if (first === undefined) throw new CelError(`${name} called on empty list`)
  return rest.reduce((best, next) => (isBetter(next, best) ? next : best), first)
}

function containsAll(list: unknown[], sublist: unknown[]): boolean {
  spend((list.length * sublist.length) / 10)
  return sublist.every((value) => list.some((element) => celEquals(element, value)))
}
