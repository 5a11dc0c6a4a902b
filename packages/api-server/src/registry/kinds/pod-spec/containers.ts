/**
 * Containers, init containers and ephemeral containers of a pod.
 */

import { duplicate, forbidden, invalid, notFound, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { isDns1123Label, isPortName, isPortNumber } from '@dinghy/shared/api/names'
import type { Container, ContainerPort, EphemeralContainer, PodSpec, VolumeMount } from '@dinghy/shared/api/types'
import { descendingPath, named, oneOf, requiredOneOf, requiredText } from '../checks.ts'
import { validateEnv, validateEnvFrom } from './env.ts'
import { validateLifecycle, validateProbes } from './probes.ts'
import { validateResources } from './resources.ts'
import { validateContainerSecurity } from './security.ts'

export function validateContainers(spec: PodSpec, path: string): FieldError[] {
  const { containers = [], initContainers = [] } = spec as Partial<PodSpec>
  const seen = new Set<string>()
  const errors: FieldError[] = containers.length === 0 ? [required(`${path}.containers`)] : []
  for (const [i, container] of containers.entries()) {
    const at = `${path}.containers[${i}]`
    errors.push(...validateContainer(container, spec, at), ...unique(container.name, seen, at))
    errors.push(...validateProbes(container, at), ...validateLifecycle(container, spec, at))
    if (container.restartPolicy) errors.push(forbidden(`${at}.restartPolicy`, 'may not be set for non-init containers'))
  }
  for (const [i, container] of initContainers.entries()) {
    const at = `${path}.initContainers[${i}]`
    errors.push(...validateContainer(container, spec, at), ...unique(container.name, seen, at))
    errors.push(...validateInitContainer(container, spec, at))
  }
  errors.push(...hostPortConflicts(containers, path))
  return [...errors, ...validateEphemeralContainers(spec, path)]
}

function validateContainer(container: Container, spec: PodSpec, path: string): FieldError[] {
  const { name, image, ports, volumeMounts, resources, securityContext } = container
  const errors = name ? named(`${path}.name`, name, isDns1123Label(name)) : [required(`${path}.name`)]
  if (!image) errors.push(required(`${path}.image`))
  else if (image !== image.trim()) {
    errors.push(invalid(`${path}.image`, image, 'must not have leading or trailing whitespace'))
  }
  const policies = ['FallbackToLogsOnError', 'File']
  return [
    ...errors,
    ...requiredOneOf(`${path}.terminationMessagePolicy`, container.terminationMessagePolicy, policies),
    ...validatePorts(ports, spec.hostNetwork ?? false, `${path}.ports`),
    ...validateEnv(container.env, `${path}.env`),
    ...validateEnvFrom(container.envFrom, `${path}.envFrom`),
    ...validateVolumeMounts(volumeMounts, spec, securityContext?.privileged ?? false, `${path}.volumeMounts`),
    ...requiredOneOf(`${path}.imagePullPolicy`, container.imagePullPolicy, ['Always', 'IfNotPresent', 'Never']),
    ...validateResources(resources, `${path}.resources`),
    ...validateContainerSecurity(securityContext, `${path}.securityContext`),
  ]
}

/** Only an init container that keeps running, a sidecar, can be probed. */
function validateInitContainer(container: Container, spec: PodSpec, path: string): FieldError[] {
  const errors = oneOf(`${path}.restartPolicy`, container.restartPolicy, ['Always'])
  if (container.restartPolicy === 'Always') {
    return [...errors, ...validateProbes(container, path), ...validateLifecycle(container, spec, path)]
  }
  for (const field of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
    if (!container[field]) continue
    errors.push(forbidden(`${path}.${field}`, 'may not be set for init containers without restartPolicy=Always'))
  }
  return errors
}

const notForEphemeral = [
  'ports',
  'livenessProbe',
  'readinessProbe',
  'startupProbe',
  'lifecycle',
  'resizePolicy',
  'restartPolicy',
] as const

export function validateEphemeralContainers(spec: PodSpec, path: string): FieldError[] {
  const names = new Set([...(spec.containers ?? []), ...(spec.initContainers ?? [])].map(({ name }) => name))
  const seen = new Set(names)
  return (spec.ephemeralContainers ?? []).flatMap((container: EphemeralContainer, i) => {
    const at = `${path}.ephemeralContainers[${i}]`
    const errors = [...validateContainer(container, spec, at), ...unique(container.name, seen, at)]
    for (const field of notForEphemeral) {
      if (container[field]) errors.push(forbidden(`${at}.${field}`, 'cannot be set for an Ephemeral Container'))
    }
    if (Object.keys(container.resources ?? {}).length > 0) {
      errors.push(forbidden(`${at}.resources`, 'cannot be set for an Ephemeral Container'))
    }
    const target = container.targetContainerName
    if (target && !names.has(target)) errors.push(notFound(`${at}.targetContainerName`, target))
    return errors
  })
}

function unique(name: string, seen: Set<string>, path: string): FieldError[] {
  const errors = seen.has(name) && name ? [duplicate(`${path}.name`, name)] : []
  seen.add(name)
  return errors
}

function validatePorts(ports: ContainerPort[] | undefined, hostNetwork: boolean, path: string): FieldError[] {
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
    if (hostNetwork && hostPort && hostPort !== containerPort) {
      errors.push(invalid(`${at}.containerPort`, containerPort, 'must match `hostPort` when `hostNetwork` is true'))
    }
    return [...errors, ...requiredOneOf(`${at}.protocol`, protocol, ['SCTP', 'TCP', 'UDP'])]
  })
}

function hostPortConflicts(containers: Container[], path: string): FieldError[] {
  const seen = new Set<string>()
  return containers.flatMap(({ ports = [] }, i) =>
    ports.flatMap(({ hostPort, hostIP = '', protocol }, j) => {
      if (!hostPort) return []
      const key = `${protocol}/${hostIP}/${hostPort}`
      const taken = seen.has(key)
      seen.add(key)
      return taken ? [duplicate(`${path}.containers[${i}].ports[${j}].hostPort`, key)] : []
    }),
  )
}

function validateVolumeMounts(
  mounts: VolumeMount[] | undefined,
  spec: PodSpec,
  isPrivileged: boolean,
  path: string,
): FieldError[] {
  const volumes = new Set((spec.volumes ?? []).map(({ name }) => name))
  const paths = new Set<string>()
  return (mounts ?? []).flatMap((mount, i) => {
    const at = `${path}[${i}]`
    const errors = requiredText(`${at}.name`, mount.name)
    if (mount.name && !volumes.has(mount.name)) errors.push(notFound(`${at}.name`, mount.name))
    errors.push(...requiredText(`${at}.mountPath`, mount.mountPath))
    if (paths.has(mount.mountPath)) errors.push(invalid(`${at}.mountPath`, mount.mountPath, 'must be unique'))
    paths.add(mount.mountPath)
    if (mount.subPath) errors.push(...descendingPath(`${at}.subPath`, mount.subPath))
    if (mount.subPathExpr) {
      if (mount.subPath) {
        const detail = 'subPathExpr and subPath are mutually exclusive'
        errors.push(invalid(`${at}.subPathExpr`, mount.subPathExpr, detail))
      }
      errors.push(...descendingPath(`${at}.subPathExpr`, mount.subPathExpr))
    }
    const modes = ['Bidirectional', 'HostToContainer', 'None']
    errors.push(...oneOf(`${at}.mountPropagation`, mount.mountPropagation, modes))
    if (mount.mountPropagation === 'Bidirectional' && !isPrivileged) {
      const detail = 'Bidirectional mount propagation is available only to privileged containers'
      errors.push(forbidden(`${at}.mountPropagation`, detail))
    }
    return [...errors, ...validateRecursiveReadOnly(mount, `${at}.recursiveReadOnly`)]
  })
}

function validateRecursiveReadOnly({ recursiveReadOnly, readOnly }: VolumeMount, path: string): FieldError[] {
  const errors = oneOf(path, recursiveReadOnly, ['Disabled', 'Enabled', 'IfPossible'])
  const isWanted = recursiveReadOnly === 'Enabled' || recursiveReadOnly === 'IfPossible'
  if (isWanted && !readOnly) errors.push(forbidden(path, 'may only be specified when readOnly is true'))
  return errors
}
