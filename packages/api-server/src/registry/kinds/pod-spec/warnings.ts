/**
 * What a pod, or a template of pods, may say but had better not: returned in Warning headers, which kubectl prints.
 * Follows pkg/api/pod/warnings.go.
 */

import { ownValue } from '@dinghy/shared/api/own-value'
import { isDns1123Label } from '@dinghy/shared/api/names'
import { parseQuantity } from '@dinghy/shared/api/quantity'
import type {
  Affinity,
  Container,
  ContainerPort,
  ObjectMeta,
  PodAffinityTerm,
  PodSpec,
  PodTemplateSpec,
} from '@dinghy/shared/api/types'
import { deprecatedLabel, termWarnings } from './deprecated-labels.ts'

/** Its parts as a template or a stored pod has them. */
type Template = Pick<PodTemplateSpec, 'metadata' | 'spec'>

/** `path` is "spec.template", or "" for a pod itself. */
export function podWarnings(template: Template | undefined, path: string): string[] {
  const { metadata, spec } = template ?? {}
  if (!spec) return []
  const start = path === '' ? '' : `${path}.`
  const at = `${start}spec`
  const annotations = metadata?.annotations ?? {}
  return [
    ...nodeLabelWarnings(spec, at),
    ...annotationWarnings(annotations, `${start}metadata.annotations`),
    ...volumeWarnings(spec, at),
    ...listWarnings(spec, at),
    ...fractions(spec.overhead, `${at}.overhead`),
    ...profileWarnings(spec, annotations, path === '', `${start}metadata.annotations`),
    ...containersOf(spec, at).flatMap(([container, place]) => containerWarnings(container, place)),
    ...portWarnings(spec, at),
    ...((spec.terminationGracePeriodSeconds ?? 0) < 0
      ? [`${at}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`]
      : []),
    ...affinityWarnings(spec.affinity, `${at}.affinity`),
  ]
}

/** Of workloads, whose template is only worth a word when it has changed. */
export function templateWarnings(
  next: { metadata: Pick<ObjectMeta, 'generation'> },
  previous: { metadata: Pick<ObjectMeta, 'generation'> } | undefined,
  template: Template | undefined,
  path = 'spec.template',
): string[] {
  const isSame = previous !== undefined && next.metadata.generation === previous.metadata.generation
  return isSame ? [] : podWarnings(template, path)
}

/** Of an object that is new: `where` its name will appear. */
export function nameWarnings(name: string, previous: unknown, where = 'Pod names and hostnames'): string[] {
  const problems = previous === undefined ? isDns1123Label(name) : []
  const advice = `this is used in ${where}, which can result in surprising behavior; a DNS label is recommended`
  return problems.length > 0 ? [`metadata.name: ${advice}: [${problems.join(' ')}]`] : []
}

// ---- affinity and spreading

function nodeLabelWarnings(spec: PodSpec, path: string): string[] {
  const { nodeAffinity } = spec.affinity ?? {}
  const hard = 'requiredDuringSchedulingIgnoredDuringExecution'
  const soft = 'preferredDuringSchedulingIgnoredDuringExecution'
  const at = `${path}.affinity.nodeAffinity`
  return [
    ...Object.keys(spec.nodeSelector ?? {}).flatMap((label) => {
      const words = deprecatedLabel(label)
      return words ? [`${path}.nodeSelector[${label}]: ${words}`] : []
    }),
    ...(nodeAffinity?.[hard]?.nodeSelectorTerms ?? []).flatMap((term, i) =>
      termWarnings(term, false, `${at}.${hard}.nodeSelectorTerms[${i}]`),
    ),
    ...(nodeAffinity?.[soft] ?? []).flatMap(({ preference }, i) =>
      termWarnings(preference, true, `${at}.${soft}[${i}].preference`),
    ),
    ...(spec.topologySpreadConstraints ?? []).flatMap(({ topologyKey, labelSelector }, i) => {
      const place = `${path}.topologySpreadConstraints[${i}]`
      const words = deprecatedLabel(topologyKey)
      return [
        ...(words ? [`${place}.topologyKey: ${topologyKey} is ${words}`] : []),
        ...(labelSelector ? [] : [`${place}.labelSelector: ${matchesNoPod}`]),
      ]
    }),
  ]
}

const matchesNoPod = 'a null labelSelector results in matching no pod'

function affinityWarnings({ podAffinity, podAntiAffinity }: Affinity = {}, path: string): string[] {
  return Object.entries({ podAffinity, podAntiAffinity }).flatMap(([field, rules]) => {
    const hard = 'requiredDuringSchedulingIgnoredDuringExecution'
    const soft = 'preferredDuringSchedulingIgnoredDuringExecution'
    const check = (term: PodAffinityTerm, at: string) =>
      term.labelSelector ? [] : [`${at}.labelSelector: ${matchesNoPod}`]
    return [
      ...(rules?.[hard] ?? []).flatMap((term, i) => check(term, `${path}.${field}.${hard}[${i}]`)),
      ...(rules?.[soft] ?? []).flatMap(({ podAffinityTerm }, i) =>
        check(podAffinityTerm, `${path}.${field}.${soft}[${i}].podAffinityTerm`),
      ),
    ]
  })
}

// ---- annotations

const goneAnnotations = Object.entries({
  'scheduler.alpha.kubernetes.io/critical-pod': 'non-functional in v1.16+; use the "priorityClassName" field instead',
  'security.alpha.kubernetes.io/sysctls': 'non-functional in v1.11+; use the "sysctls" field instead',
  'security.alpha.kubernetes.io/unsafe-sysctls': 'non-functional in v1.11+; use the "sysctls" field instead',
})

function annotationWarnings(annotations: Record<string, string>, path: string): string[] {
  return goneAnnotations
    .filter(([key]) => Object.hasOwn(annotations, key))
    .map(([key, words]) => `${path}[${key}]: ${words}`)
}

/** Old ways to choose a security profile, where the field that took their place says nothing. */
function profileWarnings(spec: PodSpec, annotations: Record<string, string>, isPod: boolean, path: string): string[] {
  const warnings: string[] = []
  const warn = (key: string, words: string, isSaid: boolean) => {
    if (!isSaid && Object.hasOwn(annotations, key)) warnings.push(`${path}[${key}]: ${words}`)
  }
  const { seccompProfile, appArmorProfile } = spec.securityContext ?? {}
  const noSeccomp = 'non-functional in v1.27+; use the "seccompProfile" field instead'
  const oldAppArmor = 'deprecated since v1.30; use the "appArmorProfile" field instead'
  warn('seccomp.security.alpha.kubernetes.io/pod', noSeccomp, Boolean(seccompProfile))
  for (const [{ name, securityContext }] of containersOf(spec, '')) {
    const key = `container.seccomp.security.alpha.kubernetes.io/${name}`
    warn(key, noSeccomp, Boolean(securityContext?.seccompProfile))
    // Of a pod upstream's kubelet tells.
    const isSaid = isPod || Boolean(appArmorProfile ?? securityContext?.appArmorProfile)
    warn(`container.apparmor.security.beta.kubernetes.io/${name}`, oldAppArmor, isSaid)
  }
  return warnings
}

// ---- volumes

/** Kinds of volumes that no kubelet mounts any more. */
export const goneVolumes: Record<string, string> = {
  photonPersistentDisk: 'deprecated in v1.11, non-functional in v1.16+',
  gitRepo: 'deprecated in v1.11, and disabled by default in v1.33+',
  scaleIO: 'deprecated in v1.16, non-functional in v1.22+',
  flocker: 'deprecated in v1.22, non-functional in v1.25+',
  storageos: 'deprecated in v1.22, non-functional in v1.25+',
  quobyte: 'deprecated in v1.22, non-functional in v1.25+',
  glusterfs: 'deprecated in v1.25, non-functional in v1.26+',
  cephfs: 'deprecated in v1.28, non-functional in v1.31+',
  rbd: 'deprecated in v1.28, non-functional in v1.31+',
}

/** Some of upstream's names for them have other capitals. */
export const shownAs: ReadonlyMap<string, string> = new Map([['storageos', 'storageOS']])

function volumeWarnings({ volumes = [] }: PodSpec, path: string): string[] {
  const tokens = new Set(
    volumes.flatMap(({ projected }) => (projected?.sources ?? []).map((each) => each.serviceAccountToken?.path)),
  )
  return [
    ...volumes.flatMap((volume, i) => {
      const at = `${path}.volumes[${i}]`
      const gone = Object.entries(goneVolumes).filter(([kind]) => Object.hasOwn(volume, kind))
      const claim = volume.ephemeral?.volumeClaimTemplate?.spec
      return [
        ...gone.map(([kind, words]) => `${at}.${shownAs.get(kind) ?? kind}: ${words}`),
        ...claimWarnings(claim, `${at}.ephemeral.volumeClaimTemplate.spec`),
      ]
    }),
    ...volumes.flatMap(({ projected }, i) =>
      (projected?.sources ?? []).flatMap(({ configMap, secret, downwardAPI }) =>
        Object.entries({ configMap, secrets: secret, downwardAPI }).flatMap(([field, source]) =>
          (source?.items ?? []).flatMap((item, j) => {
            const at = `${path}.volumes[${i}].projected.sources.${field}[${j}]`
            if (!tokens.has(item.path)) return []
            return [`${at}: has duplicated path with ServiceAccountToken ${JSON.stringify(item.path)}`]
          }),
        ),
      ),
    ),
  ]
}

interface ClaimSpec {
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> }
}

/** Shared with PersistentVolumeClaims: storage is whole bytes. */
export function claimWarnings(spec: ClaimSpec | undefined, path: string): string[] {
  return (['requests', 'limits'] as const).flatMap((field) =>
    fraction(spec?.resources?.[field]?.['storage'], `${path}.resources.${field}[storage]`),
  )
}

function fraction(amount: string | undefined, path: string): string[] {
  if (amount === undefined || parseQuantity(amount).nano % 1_000_000_000n === 0n) return []
  return [`${path}: fractional byte value ${JSON.stringify(amount)} is invalid, must be an integer`]
}

function fractions(amounts: Record<string, string> | undefined, path: string): string[] {
  return ['memory', 'ephemeral-storage'].flatMap((name) =>
    fraction(amounts && ownValue(amounts, name), `${path}[${name}]`),
  )
}

// ---- lists in which one hides another

function listWarnings({ hostAliases = [], imagePullSecrets = [] }: PodSpec, path: string): string[] {
  const repeated = (values: (string | undefined)[], at: (i: number) => string, what: string) =>
    values.flatMap((value, i) =>
      values.indexOf(value) < i ? [`${at(i)}: duplicate ${what} ${JSON.stringify(value)}`] : [],
    )
  const ips = hostAliases.map(({ ip }) => ip)
  const names = imagePullSecrets.map(({ name = '' }) => name)
  const ofSecret = (i: number) => `${path}.imagePullSecrets[${i}].name`
  return [
    ...repeated(ips, (i) => `${path}.hostAliases[${i}].ip`, 'ip'),
    ...repeated(names, ofSecret, 'name'),
    ...names.flatMap((name, i) => (name === '' ? [`${ofSecret(i)}: invalid empty name ""`] : [])),
  ]
}

type AnyContainer = Omit<Container, 'name'> & { name: string }

/** In upstream's order, with the path of each. */
function containersOf(spec: PodSpec, path: string): [container: AnyContainer, path: string][] {
  const { initContainers, containers, ephemeralContainers } = spec
  return Object.entries({ initContainers, containers, ephemeralContainers }).flatMap(([field, list]) =>
    ((list ?? []) as AnyContainer[]).map((container, i): [AnyContainer, string] => [
      container,
      `${path}.${field}[${i}]`,
    ]),
  )
}

function containerWarnings({ resources, env = [] }: AnyContainer, path: string): string[] {
  const amounts = ['memory', 'ephemeral-storage'].flatMap((name) =>
    (['limits', 'requests'] as const).flatMap((field) =>
      fraction(resources?.[field] && ownValue(resources[field], name), `${path}.resources.${field}[${name}]`),
    ),
  )
  return [...amounts, ...repeatedEnv(env, path)]
}

/** The later one wins, but `kubectl apply` may lose either. A value that goes on from the earlier one needs both. */
function repeatedEnv(env: NonNullable<Container['env']>, path: string): string[] {
  const seen = new Set<string>()
  return env.flatMap(({ name, value = '', valueFrom }, i) => {
    const reference = `$(${name})`
    const goesOn = !valueFrom && value !== reference && value.includes(reference)
    const hides = seen.has(name) && !goesOn
    seen.add(name)
    const detail = `hides previous definition of ${JSON.stringify(name)}, which may be dropped when using apply`
    return hides ? [`${path}.env[${i}]: ${detail}`] : []
  })
}

/** All containers of a pod listen at one address. */
function portWarnings(spec: PodSpec, path: string): string[] {
  const seen = new Map<string, [port: ContainerPort, path: string][]>()
  return containersOf(spec, path).flatMap(([{ ports = [] }, place]) =>
    ports.flatMap((port, i) => {
      const at = `${place}.ports[${i}]`
      const key = `${port.containerPort}/${port.protocol}`
      const others = seen.get(key) ?? []
      seen.set(key, [...others, [port, at]])
      const overlaps = others.flatMap(([other, there]) => {
        const words = overlapOf(port, other)
        return words ? [`${at}: ${words} port definition with ${there}`] : []
      })
      const isUseless = Boolean(port.hostIP) && !port.hostPort
      return [...(isUseless ? [`${at}: hostIP set without hostPort: ${goStruct(port)}`] : []), ...overlaps]
    }),
  )
}

function overlapOf(port: ContainerPort, other: ContainerPort): string | undefined {
  const [ip, otherIp] = [port.hostIP ?? '', other.hostIP ?? '']
  const [onHost, otherOnHost] = [port.hostPort ?? 0, other.hostPort ?? 0]
  if (ip === otherIp && onHost === otherOnHost) return 'duplicate'
  if (onHost === 0 || otherOnHost === 0) return 'overlapping'
  return onHost === otherOnHost && (ip === '') !== (otherIp === '') ? 'dangerously ambiguous' : undefined
}

/** As Go prints the structure. */
function goStruct({ name = '', hostPort = 0, containerPort, protocol = '', hostIP = '' }: ContainerPort): string {
  return `{Name:${name} HostPort:${hostPort} ContainerPort:${containerPort} Protocol:${protocol} HostIP:${hostIP}}`
}
