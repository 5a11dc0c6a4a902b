/**
 * PodSecurity: pods must keep to the level of the Pod Security Standards that their namespace's labels ask for. Pods
 * are refused (enforce); of pods, and of what makes pods, the client is warned (warn) and the audit log told (audit). A
 * namespace that gets a stricter level is told which of its pods do not keep to it. Follows
 * pod-security-admission/admission.
 *
 * Where it differs: nothing is exempt.
 */

import { forbidden, invalid } from '@dinghy/shared/api/errors'
import { Namespaces, Pods } from '@dinghy/shared/api/resources'
import { sameJson } from '@dinghy/shared/api/same-json'
import type { KubernetesObject, Pod } from '@dinghy/shared/api/types'
import type { AdmissionPlugin, AdmissionRequest } from '../registry/admission.ts'
import type { Reader } from '../registry/reader.ts'
import type { CheckedPod } from './pod-security/check.ts'
import {
  describeViolations,
  isStricter,
  type LevelVersion,
  nameOf,
  policyOf,
  violations,
} from './pod-security/policy.ts'

const domain = 'pod-security.kubernetes.io'

/** Subresources of pods that cannot change what a pod may do. */
const harmless = ['exec', 'attach', 'binding', 'eviction', 'log', 'portforward', 'proxy', 'status']

export function podSecurity(reader: Reader): AdmissionPlugin {
  return {
    name: 'PodSecurity',
    validate(request) {
      const { definition, operation, subresource } = request
      if (operation !== 'CREATE' && operation !== 'UPDATE') return
      const kind = `${definition.group}/${definition.plural}`
      if (kind === '/namespaces') {
        if (subresource === undefined) validateNamespace(request, reader)
      } else if (kind === '/pods') {
        if (!harmless.includes(subresource ?? '')) validatePod(request, reader)
      } else if (subresource === undefined) {
        const pod = templateOf(kind, request.object)
        if (pod) warn(request, pod, reader)
      }
    },
  }
}

function validatePod(request: AdmissionRequest, reader: Reader): void {
  const { name, object, previous, namespace, definition, context } = request
  const [pod, before] = [object as Pod, previous as Pod | undefined]
  if (before && !isSignificant(pod, before)) return
  const checked = { annotations: pod.metadata.annotations ?? {}, spec: pod.spec }
  const { enforce } = policyOf(labelsOf(reader, namespace)).policy
  if (enforce.level !== 'privileged') context.annotate?.(`${domain}/enforce-policy`, nameOf(enforce))
  const found = violations(enforce, checked)
  if (found.length === 0) return warn(request, checked, reader)
  const message = `violates PodSecurity ${JSON.stringify(nameOf(enforce))}: ${describeViolations(found)}`
  throw forbidden(definition.group, definition.plural, name, message)
}

function warn({ namespace, context }: AdmissionRequest, pod: CheckedPod, reader: Reader): void {
  const { policy } = policyOf(labelsOf(reader, namespace))
  const would = (level: LevelVersion, tell: (text: string) => void) => {
    const found = violations(level, pod)
    const text = `would violate PodSecurity ${JSON.stringify(nameOf(level))}: ${describeViolations(found)}`
    if (found.length > 0) tell(text)
  }
  would(policy.audit, (text) => context.annotate?.(`${domain}/audit-violations`, text))
  would(policy.warn, (text) => context.warn(text))
}

function labelsOf(reader: Reader, namespace: string | undefined): Record<string, string> | undefined {
  return reader.get(Namespaces, undefined, namespace ?? '')?.metadata.labels
}

/** Another image or another container is judged anew; labels and the like are not. */
function isSignificant({ spec }: Pod, { spec: before }: Pod): boolean {
  const images = ({ containers, initContainers = [], ephemeralContainers = [] }: Pod['spec']) =>
    [containers, initContainers, ephemeralContainers].map((list) => list.map(({ name, image }) => [name, image]))
  return !sameJson(images(spec), images(before))
}

type Template = Pick<Pod, 'spec'> & { metadata?: { annotations?: Record<string, string> } }
interface WithTemplate {
  template?: Template
  spec?: { template?: Template; jobTemplate?: { spec?: { template?: Template } } }
}

/** What the pods of a workload will be. */
function templateOf(kind: string, object: KubernetesObject | undefined): CheckedPod | undefined {
  if (!workloads.has(kind)) return undefined
  const { template: own, spec } = object as WithTemplate
  const template = own ?? spec?.template ?? spec?.jobTemplate?.spec?.template
  return template?.spec && { annotations: template.metadata?.annotations ?? {}, spec: template.spec }
}

const workloads = new Set([
  '/podtemplates',
  '/replicationcontrollers',
  'apps/daemonsets',
  'apps/deployments',
  'apps/replicasets',
  'apps/statefulsets',
  'batch/cronjobs',
  'batch/jobs',
])

function validateNamespace({ object, previous, name, context }: AdmissionRequest, reader: Reader): void {
  const next = policyOf(object?.metadata.labels)
  const before = previous && policyOf(previous.metadata.labels)
  if (next.problems.length > 0 && !sameJson(next.problems, before?.problems)) {
    throw invalid('', 'Namespace', name, next.problems)
  }
  if (!before) return
  const [level, old] = [next.policy.enforce, before.policy.enforce]
  const isRelaxed = level.version === old.version && !isStricter(level.level, old.level)
  if (level.level === 'privileged' || isRelaxed) return
  const found = violationsIn(name, level, reader)
  if (found.length === 0) return
  context.warn(
    `existing pods in namespace ${JSON.stringify(name)} violate the new PodSecurity enforce level ${JSON.stringify(nameOf(level))}`,
  )
  for (const warning of found) context.warn(warning)
}

/** One line for all pods that violate the same: `web-1 (and 2 other pods): privileged`. */
function violationsIn(namespace: string, level: LevelVersion, reader: Reader): string[] {
  const pods = new Map<string, string[]>()
  for (const { metadata, spec } of reader.list(Pods, namespace)) {
    const found = violations(level, { annotations: metadata.annotations ?? {}, spec })
    const reasons = found.map(({ reason }) => reason).join(', ')
    if (reasons) pods.set(reasons, [...(pods.get(reasons) ?? []), metadata.name])
  }
  const lines = [...pods].map(([reasons, [first, ...others]]) => {
    const more = others.length === 0 ? '' : ` (and ${others.length} other ${others.length === 1 ? 'pod' : 'pods'})`
    return `${first}${more}: ${reasons}`
  })
  return lines.sort()
}
