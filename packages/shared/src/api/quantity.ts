/**
 * Quantities: "250m", "64Mi", "1.5Gi", "2e3". Held exactly, as a whole number of billionths, because that is the finest
 * grain Kubernetes keeps (smaller amounts round up) and because "0.1" must not become a binary fraction. The store
 * serves the canonical form: the largest suffix that leaves a whole number, in the family the user wrote.
 *
 * Follows k8s.io/apimachinery/pkg/api/resource, without its cap at 2^63-1.
 */
import { badRequest } from './errors.ts'

export interface Quantity {
  /** The amount in billionths. */
  readonly nano: bigint
  readonly format: 'DecimalSI' | 'BinarySI' | 'DecimalExponent'
}

const decimalSuffixes = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E']
const binarySuffixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei']
const one = 1_000_000_000n

const pattern = /^([+-]?)(\d+(?:\.\d*)?|\.\d+)(?:([KMGTPE]i)|([numkMGTPE]?)|[eE]([+-]?\d+))$/

export function isQuantity(text: string | number): boolean {
  return pattern.test(String(text))
}

/** Throws StatusError BadRequest on malformed text; a plain number is taken as it would be written. */
export function parseQuantity(text: string | number): Quantity {
  const match = pattern.exec(String(text))
  if (match === null) {
    throw badRequest(`quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'`)
  }
  const [, sign, number = '', binary, decimal, exponent] = match
  const [whole = '', fraction = ''] = number.split('.')
  const digits = BigInt(whole + fraction)
  const scale = -fraction.length
  const magnitude =
    binary !== undefined
      ? scaled(digits * 1024n ** BigInt(binarySuffixes.indexOf(binary)), scale)
      : scaled(
          digits,
          scale + (exponent === undefined ? 3 * (decimalSuffixes.indexOf(decimal ?? '') - 3) : Number(exponent)),
        )
  const format =
    exponent !== undefined ? 'DecimalExponent' : binary !== undefined && magnitude >= one ? 'BinarySI' : 'DecimalSI'
  return { nano: sign === '-' ? -magnitude : magnitude, format }
}

/** value × 10^scale in billionths; anything finer rounds away from zero, so that no request becomes nothing. */
function scaled(value: bigint, scale: number): bigint {
  const power = scale + 9
  return power >= 0 ? value * 10n ** BigInt(power) : ceilDivide(value, 10n ** BigInt(-power))
}

function ceilDivide(value: bigint, divisor: bigint): bigint {
  return value / divisor + (value % divisor > 0n ? 1n : 0n)
}

/** As the API serves it: "1000m" → "1", "1024Mi" → "1Gi", "0.5Gi" → "512Mi". */
export function canonicalQuantity(text: string | number): string {
  return formatQuantity(parseQuantity(text))
}

export function formatQuantity({ nano, format }: Quantity): string {
  if (nano === 0n) return '0'
  const sign = nano < 0n ? '-' : ''
  const magnitude = nano < 0n ? -nano : nano
  if (format === 'BinarySI' && magnitude >= 1024n * one) {
    const { mantissa, steps } = strip(ceilDivide(magnitude, one), 1024n, binarySuffixes.length - 1)
    return `${sign}${mantissa}${binarySuffixes[steps]}`
  }
  const { mantissa, steps } = strip(magnitude, 1000n, decimalSuffixes.length - 1)
  const suffix = format === 'DecimalExponent' && steps !== 3 ? `e${(steps - 3) * 3}` : decimalSuffixes[steps]
  return `${sign}${mantissa}${suffix}`
}

/** Divides by `base` as long as nothing is left over. */
function strip(value: bigint, base: bigint, maxSteps: number): { mantissa: bigint; steps: number } {
  let steps = 0
  while (steps < maxSteps && value % base === 0n) {
    value /= base
    steps++
  }
  return { mantissa: value, steps }
}

/** The amount as a number: cpu "250m" → 0.25, memory "64Mi" → 67108864. Exact up to 2^53. */
export function quantityToNumber(text: string | number): number {
  const { nano } = parseQuantity(text)
  return nano % one === 0n ? Number(nano / one) : Number(nano) / 1e9
}

/** Thousandths, rounded up: cpu "250m" → 250, "1.5" → 1500. */
export function milliCpu(text: string | number): number {
  return Number(ceilDivide(parseQuantity(text).nano, 1_000_000n))
}

/** Whole units, rounded up: memory "1.5Ki" → 1536. */
export function bytes(text: string | number): number {
  return Number(ceilDivide(parseQuantity(text).nano, one))
}

export function compareQuantities(a: string | number, b: string | number): -1 | 0 | 1 {
  const left = parseQuantity(a).nano
  const right = parseQuantity(b).nano
  return left < right ? -1 : left > right ? 1 : 0
}

/** The sum, in the format of the first non-zero amount, as upstream adds. */
export function addQuantities(a: string | number, b: string | number): string {
  const left = parseQuantity(a)
  const right = parseQuantity(b)
  return formatQuantity({ nano: left.nano + right.nano, format: left.nano === 0n ? right.format : left.format })
}

export function subtractQuantities(a: string | number, b: string | number): string {
  const left = parseQuantity(a)
  const right = parseQuantity(b)
  return formatQuantity({ nano: left.nano - right.nano, format: left.nano === 0n ? right.format : left.format })
}
