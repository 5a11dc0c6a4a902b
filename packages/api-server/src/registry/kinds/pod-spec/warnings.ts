/**
 * What a pod spec may say, but had better not: returned in Warning headers, which kubectl prints.
 */

import { ownValue } from '@dinghy/shared/api/own-value'
import type { Container, PodSpec } from '@dinghy/shared/api/types'

const deprecatedLabels: Record<string, [since: string, instead: string]> = {
  'beta.kubernetes.io/arch': ['v1.14', 'kubernetes.io/arch'],
  'beta.kubernetes.io/os': ['v1.14', 'kubernetes.io/os'],
  'failure-domain.beta.kubernetes.io/region': ['v1.17', 'topology.kubernetes.io/region'],
  'failure-domain.beta.kubernetes.io/zone': ['v1.17', 'topology.kubernetes.io/zone'],
  'beta.kubernetes.io/instance-type': ['v1.17', 'node.kubernetes.io/instance-type'],
}

export function podWarnings(spec: PodSpec | undefined, path: string): string[] {
  const warnings: string[] = []
  for (const label of Object.keys(spec?.nodeSelector ?? {})) {
    const [since, instead] = ownValue(deprecatedLabels, label) ?? []
    if (since) warnings.push(`${path}.nodeSelector[${label}]: deprecated since ${since}; use "${instead}" instead`)
  }
  for (const [i, volume] of (spec?.volumes ?? []).entries()) {
    if (volume.gitRepo) warnings.push(`${path}.volumes[${i}].gitRepo: deprecated in v1.11`)
  }
  if ((spec?.terminationGracePeriodSeconds ?? 0) < 0) {
    const detail = 'must be >= 0; negative values are invalid and will be treated as 1'
    warnings.push(`${path}.terminationGracePeriodSeconds: ${detail}`)
  }
  for (const field of ['initContainers', 'containers'] as const) {
    for (const [i, container] of (spec?.[field] ?? []).entries()) {
      const at = `${path}.${field}[${i}]`
      warnings.push(...repeatedEnv(container, at), ...repeatedPorts(container, at))
    }
  }
  return warnings
}

/** The later one wins, but `kubectl apply` may lose either. */
function repeatedEnv({ env = [] }: Container, path: string): string[] {
  const seen = new Set<string>()
  return env.flatMap(({ name, value = '' }, i) => {
    const again = seen.has(name) && !value.includes(`$(${name})`)
    seen.add(name)
    const detail = `hides previous definition of ${JSON.stringify(name)}, which may be dropped when using apply`
    return again ? [`${path}.env[${i}]: ${detail}`] : []
  })
}

function repeatedPorts({ ports = [] }: Container, path: string): string[] {
  const seen = new Map<string, number>()
  return ports.flatMap(({ containerPort, protocol, hostPort = 0, hostIP = '' }, i) => {
    const key = `${containerPort}/${protocol}/${hostPort}/${hostIP}`
    const first = seen.get(key)
    seen.set(key, first ?? i)
    return first === undefined ? [] : [`${path}.ports[${i}]: duplicate port definition with ${path}.ports[${first}]`]
  })
}
