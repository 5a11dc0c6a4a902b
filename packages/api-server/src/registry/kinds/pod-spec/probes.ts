/**
 * Probes and lifecycle hooks: exactly one handler each, with sensible numbers.
 */

import { forbidden, invalid, required, type FieldError } from '@dinghy/shared/api/field-errors'
import type { Container, LifecycleHandler, PodSpec, Probe } from '@dinghy/shared/api/types'
import { isPortNumber } from '@dinghy/shared/api/names'
import { named, nonNegative, oneOf, portNumberOrName, requiredText } from '../checks.ts'

export function validateProbes(container: Container, spec: PodSpec, path: string): FieldError[] {
  const { livenessProbe, readinessProbe, startupProbe } = container
  const grace = spec.terminationGracePeriodSeconds
  const errors = [
    ...validateProbe(livenessProbe, grace, `${path}.livenessProbe`),
    ...mustSucceedOnce(livenessProbe, `${path}.livenessProbe`),
    ...validateProbe(readinessProbe, grace, `${path}.readinessProbe`),
  ]
  if (readinessProbe?.terminationGracePeriodSeconds !== undefined) {
    const at = `${path}.readinessProbe.terminationGracePeriodSeconds`
    errors.push(invalid(at, readinessProbe.terminationGracePeriodSeconds, 'must not be set for readinessProbes'))
  }
  errors.push(...validateProbe(startupProbe, grace, `${path}.startupProbe`))
  return [...errors, ...mustSucceedOnce(startupProbe, `${path}.startupProbe`)]
}

export function validateLifecycle({ lifecycle }: Container, spec: PodSpec, path: string): FieldError[] {
  const grace = spec.terminationGracePeriodSeconds
  return [
    ...(lifecycle?.postStart ? validateHandler(lifecycle.postStart, grace, `${path}.lifecycle.postStart`) : []),
    ...(lifecycle?.preStop ? validateHandler(lifecycle.preStop, grace, `${path}.lifecycle.preStop`) : []),
  ]
}

/** A hook that sleeps longer than the pod may take to end would never be over. */
function sleepWithin(seconds: number, grace: number | undefined, path: string): FieldError[] {
  if (grace === undefined || (seconds >= 0 && seconds <= grace)) return []
  return [invalid(path, seconds, `must be non-negative and less than terminationGracePeriodSeconds (${grace})`)]
}

function validateProbe(probe: Probe | undefined, podGrace: number | undefined, path: string): FieldError[] {
  if (!probe) return []
  const errors = validateHandler(probe, podGrace, path)
  const counts = [
    'initialDelaySeconds',
    'timeoutSeconds',
    'periodSeconds',
    'successThreshold',
    'failureThreshold',
  ] as const
  for (const field of counts) errors.push(...nonNegative(`${path}.${field}`, probe[field]))
  const grace = probe.terminationGracePeriodSeconds
  if (grace !== undefined && grace <= 0) {
    errors.push(invalid(`${path}.terminationGracePeriodSeconds`, grace, 'must be greater than 0'))
  }
  return errors
}

function mustSucceedOnce(probe: Probe | undefined, path: string): FieldError[] {
  const threshold = probe?.successThreshold ?? 1
  return threshold === 1 ? [] : [invalid(`${path}.successThreshold`, threshold, 'must be 1')]
}

type Handler = LifecycleHandler & Probe

function validateHandler(handler: Handler, grace: number | undefined, path: string): FieldError[] {
  const kinds = (['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'] as const).filter(
    (kind) => handler[kind] !== undefined,
  )
  const [first, ...others] = kinds
  if (first === undefined) return [required(path, 'must specify a handler type')]
  const errors = others.map((kind) => forbidden(`${path}.${kind}`, 'may not specify more than 1 handler type'))
  return [...validateFirst(handler, first, grace, `${path}.${first}`), ...errors]
}

function validateFirst(handler: Handler, kind: string, grace: number | undefined, path: string): FieldError[] {
  switch (kind) {
    case 'exec':
      return handler.exec?.command?.length ? [] : [required(`${path}.command`)]
    case 'httpGet':
      return [
        ...requiredText(`${path}.path`, handler.httpGet?.path),
        ...portNumberOrName(`${path}.port`, handler.httpGet?.port),
        ...oneOf(`${path}.scheme`, handler.httpGet?.scheme, ['HTTP', 'HTTPS']),
        ...(handler.httpGet?.httpHeaders ?? []).flatMap(({ name }, i) =>
          /^[-A-Za-z0-9]+$/.test(name ?? '')
            ? []
            : [
                invalid(
                  `${path}.httpHeaders`,
                  handler.httpGet?.httpHeaders?.[i]?.name ?? '',
                  "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')",
                ),
              ],
        ),
      ]
    case 'tcpSocket':
      return portNumberOrName(`${path}.port`, handler.tcpSocket?.port)
    case 'grpc':
      return named(`${path}.port`, handler.grpc?.port, isPortNumber(handler.grpc?.port ?? 0))
    default:
      return sleepWithin(handler.sleep?.seconds ?? 0, grace, path)
  }
}
