/**
 * Containers, init containers and ephemeral containers of a pod. The order of the errors, and where a path lacks an
 * index or names the wrong one, is upstream's.
 */

import { duplicate, forbidden, invalid, notFound, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { isDns1123Label, isPortName, isPortNumber } from '@dinghy/shared/api/names'
import type { Container, ContainerPort, EphemeralContainer, PodSpec, Volume } from '@dinghy/shared/api/types'
import { named, oneOf, requiredOneOf } from '../checks.ts'
import { validateEnv, validateEnvFrom } from './env.ts'
import { validateDevices, validateMounts } from './mounts.ts'
import { validateLifecycle, validateProbes } from './probes.ts'
import { validateResizePolicy, validateResources } from './resources.ts'
import { validateContainerSecurity } from './security.ts'

/** `volumes` are those without a fault: a mount of any other finds nothing. */
export function validateContainers(spec: PodSpec, volumes: ReadonlyMap<string, Volume>, path: string): FieldError[] {
  const { containers = [], initContainers = [] } = spec as Partial<PodSpec>
  const seen = new Set<string>()
  const errors: FieldError[] = containers.length === 0 ? [required(`${path}.containers`)] : []
  for (const [i, container] of containers.entries()) {
    const at = `${path}.containers[${i}]`
    errors.push(...validateContainer(container, spec, volumes, at), ...unique(container.name, seen, at))
    errors.push(...validateLifecycle(container, spec, at), ...validateProbes(container, spec, at))
    if (container.restartPolicy) errors.push(forbidden(`${at}.restartPolicy`, 'may not be set for non-init containers'))
  }
  errors.push(...hostPortConflicts(containers, `${path}.containers`))
  for (const [i, container] of initContainers.entries()) {
    const at = `${path}.initContainers[${i}]`
    errors.push(...validateContainer(container, spec, volumes, at))
    errors.push(...oneOf(`${at}.restartPolicy`, container.restartPolicy, ['Always']))
    errors.push(...unique(container.name, seen, at))
    // They run one after another, so each has all ports for itself, and counts as the first in upstream's error.
    errors.push(...hostPortConflicts([container], `${path}.initContainers`))
    errors.push(...validateInitContainer(container, spec, at))
  }
  return [...errors, ...validateEphemeralContainers(spec, volumes, path)]
}

function validateContainer(
  container: Container,
  spec: PodSpec,
  volumes: ReadonlyMap<string, Volume>,
  path: string,
): FieldError[] {
  const { name, image, securityContext } = container
  const policies = ['File', 'FallbackToLogsOnError']
  return [
    ...(name ? named(`${path}.name`, name, isDns1123Label(name)) : [required(`${path}.name`)]),
    ...(image ? [] : [required(`${path}.image`)]),
    ...requiredOneOf(`${path}.terminationMessagePolicy`, container.terminationMessagePolicy, policies),
    ...validatePorts(container.ports, `${path}.ports`),
    ...validateEnv(container.env, `${path}.env`),
    ...validateEnvFrom(container.envFrom, `${path}.envFrom`),
    ...validateMounts(container, volumes, `${path}.volumeMounts`),
    ...validateDevices(container, volumes, `${path}.volumeDevices`),
    ...requiredOneOf(`${path}.imagePullPolicy`, container.imagePullPolicy, ['Always', 'IfNotPresent', 'Never']),
    ...validateResources(container.resources, `${path}.resources`),
    ...validateResizePolicy(container.resizePolicy, spec.restartPolicy, `${path}.resizePolicy`),
    ...validateContainerSecurity(securityContext, spec.hostUsers ?? true, `${path}.securityContext`),
  ]
}

/** A template may have spaces around an image, because some ages ago it could. */
export function validateImages({ containers, initContainers }: PodSpec, path: string): FieldError[] {
  return Object.entries({ containers, initContainers }).flatMap(([field, list = []]) =>
    list.flatMap(({ image }, i) => trimmed(image, `${path}.${field}[${i}].image`)),
  )
}

function trimmed(image: string | undefined, path: string): FieldError[] {
  if (image === undefined || image === image.trim()) return []
  return [invalid(path, image, 'must not have leading or trailing whitespace')]
}

/** Only an init container that keeps running, a sidecar, can be probed. */
function validateInitContainer(container: Container, spec: PodSpec, path: string): FieldError[] {
  if (container.restartPolicy === 'Always') {
    return [...validateLifecycle(container, spec, path), ...validateProbes(container, spec, path)]
  }
  return (['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const)
    .filter((field) => container[field])
    .map((field) => forbidden(`${path}.${field}`, 'may not be set for init containers without restartPolicy=Always'))
}

const notForEphemeral = [
  'ports',
  'resources',
  'resizePolicy',
  'restartPolicy',
  'livenessProbe',
  'readinessProbe',
  'startupProbe',
  'lifecycle',
] as const

function validateEphemeralContainers(spec: PodSpec, volumes: ReadonlyMap<string, Volume>, path: string): FieldError[] {
  const names = new Set([...(spec.containers ?? []), ...(spec.initContainers ?? [])].map(({ name }) => name))
  const seen = new Set(names)
  const detail = 'cannot be set for an Ephemeral Container'
  return (spec.ephemeralContainers ?? []).flatMap((container: EphemeralContainer, i) => {
    const at = `${path}.ephemeralContainers[${i}]`
    const errors = [...validateContainer(container, spec, volumes, at), ...trimmed(container.image, `${at}.image`)]
    errors.push(...unique(container.name, seen, at))
    const target = container.targetContainerName
    if (target && !names.has(target)) errors.push(notFound(`${at}.targetContainerName`, target))
    for (const field of notForEphemeral) {
      const value = container[field]
      const isSet = field === 'resources' ? Object.keys(value ?? {}).length > 0 : Boolean(value)
      if (isSet) errors.push(forbidden(`${at}.${field}`, detail))
    }
    for (const [j, mount] of (container.volumeMounts ?? []).entries()) {
      for (const field of ['subPath', 'subPathExpr'] as const) {
        if (mount[field]) errors.push(forbidden(`${at}.volumeMounts[${j}].${field}`, detail))
      }
    }
    return errors
  })
}

function unique(name: string, seen: Set<string>, path: string): FieldError[] {
  const errors = seen.has(name) && name ? [duplicate(`${path}.name`, name)] : []
  seen.add(name)
  return errors
}

function validatePorts(ports: ContainerPort[] | undefined, path: string): FieldError[] {
  const names = new Set<string>()
  return (ports ?? []).flatMap(({ name, containerPort, hostPort, protocol }, i) => {
    const at = `${path}[${i}]`
    const errors: FieldError[] = []
    if (name) {
      const problems = named(`${at}.name`, name, isPortName(name))
      errors.push(...(problems.length === 0 && names.has(name) ? [duplicate(`${at}.name`, name)] : problems))
      names.add(name)
    }
    if (!containerPort) errors.push(required(`${at}.containerPort`))
    else errors.push(...named(`${at}.containerPort`, containerPort, isPortNumber(containerPort)))
    if (hostPort) errors.push(...named(`${at}.hostPort`, hostPort, isPortNumber(hostPort)))
    return [...errors, ...requiredOneOf(`${at}.protocol`, protocol, ['SCTP', 'TCP', 'UDP'])]
  })
}

/** On the host's network a port is the host's. A template may leave the host port out: the pod will get it. */
export function validateHostNetworkPorts(spec: PodSpec, isPod: boolean, path: string): FieldError[] {
  if (!spec.hostNetwork) return []
  return (spec.containers ?? []).flatMap(({ ports = [] }, i) =>
    ports.flatMap(({ containerPort, hostPort = 0 }, j) => {
      if (hostPort === containerPort || (hostPort === 0 && !isPod)) return []
      const detail = 'must match `containerPort` when `hostNetwork` is true'
      return [invalid(`${path}.containers[${i}].ports[${j}].hostPort`, hostPort, detail)]
    }),
  )
}

function hostPortConflicts(containers: Container[], path: string): FieldError[] {
  const seen = new Set<string>()
  return containers.flatMap(({ ports = [] }, i) =>
    ports.flatMap(({ hostPort, hostIP = '', protocol }, j) => {
      if (!hostPort) return []
      const key = `${protocol}/${hostIP}/${hostPort}`
      const taken = seen.has(key)
      seen.add(key)
      return taken ? [duplicate(`${path}[${i}].ports[${j}].hostPort`, key)] : []
    }),
  )
}
