/**
 * Quantities ("1.5Gi") in expressions. Follows k8s.io/apiserver/pkg/cel/library/quantity.go.
 */

import { formatQuantity, isQuantity, parseQuantity, type Quantity } from '@dinghy/shared/api/quantity'
import { CelError } from '../cel-error.ts'
import { type Library, registerClass, registerFunctions } from './library.ts'

const one = 1_000_000_000n
const [minInt, maxInt] = [-(2n ** 63n), 2n ** 63n - 1n]

class CelQuantity {
  readonly #quantity: Quantity

  constructor(quantity: Quantity) {
    this.#quantity = quantity
  }

  get nano(): bigint {
    return this.#quantity.nano
  }

  plus(nano: bigint): CelQuantity {
    return new CelQuantity({ ...this.#quantity, nano: this.nano + nano })
  }

  equals(other: unknown): boolean {
    return other instanceof CelQuantity && other.nano === this.nano
  }

  compare(other: CelQuantity): bigint {
    return this.nano === other.nano ? 0n : this.nano < other.nano ? -1n : 1n
  }

  get isWhole(): boolean {
    return this.nano % one === 0n && this.nano / one <= maxInt && this.nano / one >= minInt
  }

  toString(): string {
    return formatQuantity(this.#quantity)
  }
}

export function registerQuantity(library: Library): void {
  registerClass(library, 'kubernetes.Quantity', CelQuantity)
  library.environment.registerOperator('kubernetes.Quantity == kubernetes.Quantity', (a: CelQuantity, b: CelQuantity) =>
    a.equals(b),
  )
  registerFunctions(library, {
    'quantity(string): kubernetes.Quantity': (value: string) => {
      if (isQuantity(value)) return new CelQuantity(parseQuantity(value))
      throw new CelError("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
    },
    'isQuantity(string): bool': (value: string) => isQuantity(value),
    'kubernetes.Quantity.sign(): int': (quantity: CelQuantity) =>
      quantity.nano === 0n ? 0n : quantity.nano < 0n ? -1n : 1n,
    'kubernetes.Quantity.isGreaterThan(kubernetes.Quantity): bool': (a: CelQuantity, b: CelQuantity) => a.nano > b.nano,
    'kubernetes.Quantity.isLessThan(kubernetes.Quantity): bool': (a: CelQuantity, b: CelQuantity) => a.nano < b.nano,
    'kubernetes.Quantity.compareTo(kubernetes.Quantity): int': (a: CelQuantity, b: CelQuantity) => a.compare(b),
    'kubernetes.Quantity.asApproximateFloat(): double': (quantity: CelQuantity) => Number(quantity.nano) / Number(one),
    'kubernetes.Quantity.isInteger(): bool': (quantity: CelQuantity) => quantity.isWhole,
    'kubernetes.Quantity.asInteger(): int': (quantity: CelQuantity) => {
      if (!quantity.isWhole) throw new CelError('cannot convert value to integer')
      return quantity.nano / one
    },
    'kubernetes.Quantity.add(kubernetes.Quantity): kubernetes.Quantity': (a: CelQuantity, b: CelQuantity) =>
      a.plus(b.nano),
    'kubernetes.Quantity.add(int): kubernetes.Quantity': (a: CelQuantity, b: bigint) => a.plus(b * one),
    'kubernetes.Quantity.sub(kubernetes.Quantity): kubernetes.Quantity': (a: CelQuantity, b: CelQuantity) =>
      a.plus(-b.nano),
    'kubernetes.Quantity.sub(int): kubernetes.Quantity': (a: CelQuantity, b: bigint) => a.plus(-b * one),
  })
}
