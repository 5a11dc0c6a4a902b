/**
 * Semantic versions. Follows k8s.io/apiserver/pkg/cel/library/semverlib.go and semver.org.
 */

import { CelError } from '../cel-error.ts'
import { type Library, registerClass, registerFunctions } from './library.ts'

const pattern =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/

class Semver {
  readonly numbers: readonly bigint[]
  readonly #prerelease: readonly string[]

  constructor(numbers: readonly bigint[], prerelease: readonly string[]) {
    this.numbers = numbers
    this.#prerelease = prerelease
  }

  equals(other: unknown): boolean {
    return other instanceof Semver && this.compare(other) === 0n
  }

  compare(other: Semver): bigint {
    for (const [i, number] of this.numbers.entries()) {
      const theirs = other.numbers[i] ?? 0n
      if (number !== theirs) return number < theirs ? -1n : 1n
    }
    const [ours, theirs] = [this.#prerelease, other.#prerelease]
    // A version without a pre-release is newer than every pre-release of it.
    if (ours.length === 0 || theirs.length === 0) return BigInt(Math.sign(theirs.length - ours.length))
    for (const [i, identifier] of ours.entries()) {
      const another = theirs[i]
      if (another === undefined) return 1n
      const order = compareIdentifiers(identifier, another)
      if (order !== 0) return BigInt(order)
    }
    return ours.length === theirs.length ? 0n : -1n
  }
}

function compareIdentifiers(a: string, b: string): number {
  const [isNumberA, isNumberB] = [/^\d+$/.test(a), /^\d+$/.test(b)]
  if (isNumberA && isNumberB) return Math.sign(Number(BigInt(a) - BigInt(b)))
  if (isNumberA !== isNumberB) return isNumberA ? -1 : 1
  return a === b ? 0 : a < b ? -1 : 1
}

export function registerSemver(library: Library): void {
  registerClass(library, 'kubernetes.Semver', Semver)
  library.environment.registerOperator('kubernetes.Semver == kubernetes.Semver', (a: Semver, b: Semver) => a.equals(b))
  registerFunctions(library, {
    'semver(string): kubernetes.Semver': (value: string) => required(value),
    'semver(string, bool): kubernetes.Semver': (value: string, normalize: boolean) =>
      required(normalize ? normalized(value) : value),
    'isSemver(string): bool': (value: string) => parse(value) !== undefined,
    'isSemver(string, bool): bool': (value: string, normalize: boolean) =>
      parse(normalize ? normalized(value) : value) !== undefined,
    'kubernetes.Semver.major(): int': (version: Semver) => version.numbers[0],
    'kubernetes.Semver.minor(): int': (version: Semver) => version.numbers[1],
    'kubernetes.Semver.patch(): int': (version: Semver) => version.numbers[2],
    'kubernetes.Semver.isLessThan(kubernetes.Semver): bool': (a: Semver, b: Semver) => a.compare(b) < 0n,
    'kubernetes.Semver.isGreaterThan(kubernetes.Semver): bool': (a: Semver, b: Semver) => a.compare(b) > 0n,
    'kubernetes.Semver.compareTo(kubernetes.Semver): int': (a: Semver, b: Semver) => a.compare(b),
  })
}

function parse(value: string): Semver | undefined {
  const match = pattern.exec(value)
  if (!match) return undefined
  const [, major = '', minor = '', patch = '', prerelease] = match
  return new Semver([BigInt(major), BigInt(minor), BigInt(patch)], prerelease?.split('.') ?? [])
}

function required(value: string): Semver {
  const version = parse(value)
  if (version) return version
  throw new CelError(value.split('.').length < 3 ? 'No Major.Minor.Patch elements found' : `Invalid version "${value}"`)
}

/** "v1.2" → "1.2.0", "01.02.03" → "1.2.3" */
function normalized(value: string): string {
  const [major = '', minor, ...rest] = value.replace(/^v/, '').split('.')
  const parts = [major, ...(minor !== undefined ? [minor] : []), ...(rest.length > 0 ? [rest.join('.')] : [])]
  // Short versions have no room for a pre-release or build: such text stays as it is, and is refused.
  if (parts.length < 3 && /[+-]/.test(parts.at(-1) ?? '')) return value
  const trimmed = parts.map((part) => part.replace(/^0+(?=\d)/, ''))
  return [...trimmed, '0', '0'].slice(0, 3).join('.')
}
