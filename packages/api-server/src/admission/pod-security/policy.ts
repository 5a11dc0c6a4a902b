/**
 * The policy of a namespace, read off its labels, and what of it a pod violates. Pure.
 *
 *   pod-security.kubernetes.io/enforce: restricted       what is refused
 *   pod-security.kubernetes.io/warn: baseline            what is warned of; `audit` likewise
 *   pod-security.kubernetes.io/enforce-version: v1.30    the level as that version has it; "latest" if absent
 *
 * A level that nobody knows is the strictest one for `enforce`, and none at all for the others, as upstream.
 */

import { invalid, type FieldError } from '@dinghy/shared/api/field-errors'
import { baselineChecks } from './baseline-checks.ts'
import type { CheckedPod, Violation } from './check.ts'
import { restrictedChecks } from './restricted-checks.ts'

export const levels = ['privileged', 'baseline', 'restricted'] as const
export type Level = (typeof levels)[number]

export interface LevelVersion {
  level: Level
  /** "latest" or "v1.30" */
  version: string
}

export const modes = ['enforce', 'audit', 'warn'] as const
export type Policy = Record<(typeof modes)[number], LevelVersion>

const prefix = 'pod-security.kubernetes.io/'
const latest = 'latest'

export function policyOf(labels: Record<string, string> = {}): { policy: Policy; problems: FieldError[] } {
  const problems: FieldError[] = []
  const refuse = (label: string, value: string, detail: string) =>
    problems.push(invalid(`metadata.labels[${label}]`, value, detail))
  const read = (mode: (typeof modes)[number]): LevelVersion => {
    const [wanted, version] = [labels[prefix + mode], labels[`${prefix}${mode}-version`]]
    let level: Level = 'privileged'
    if (wanted !== undefined) {
      const known = levels.find((one) => one === wanted)
      if (!known) refuse(prefix + mode, wanted, `must be one of ${levels.join(', ')}`)
      level = known ?? (mode === 'enforce' ? 'restricted' : 'privileged')
    }
    const isVersion = version === undefined || version === latest || /^v1\.(\d|[1-9]\d*)$/.test(version)
    if (!isVersion) refuse(`${prefix}${mode}-version`, version, 'must be "latest" or "v1.x"')
    return { level, version: isVersion ? (version ?? latest) : latest }
  }
  return { policy: { enforce: read('enforce'), audit: read('audit'), warn: read('warn') }, problems }
}

export function isStricter(a: Level, b: Level): boolean {
  return levels.indexOf(a) > levels.indexOf(b)
}

/** "restricted:latest" */
export function nameOf({ level, version }: LevelVersion): string {
  return `${level}:${version}`
}

export function violations({ level, version }: LevelVersion, pod: CheckedPod): Violation[] {
  if (level === 'privileged') return []
  const minor = version === latest ? Infinity : Number(version.slice('v1.'.length))
  const isRestricted = level === 'restricted'
  const checks = [
    ...baselineChecks.filter(
      ({ overriddenSince }) => !isRestricted || overriddenSince === undefined || minor < overriddenSince,
    ),
    ...(isRestricted ? restrictedChecks : []),
  ]
  return checks.filter(({ since }) => minor >= since).flatMap((check) => check.run(pod, minor) ?? [])
}

/** "host namespaces (hostNetwork=true), privileged (…)" */
export function describeViolations(found: readonly Violation[]): string {
  return found.map(({ reason, detail }) => (detail ? `${reason} (${detail})` : reason)).join(', ')
}
