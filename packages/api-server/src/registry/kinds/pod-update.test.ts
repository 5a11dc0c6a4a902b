import type { Pod } from '@dinghy/shared/api/types'
import { describe, expect, test } from 'vitest'
import { fieldErrorMessage } from '@dinghy/shared/api/field-errors'
import { created, definitionOf, problemsOfUpdate, type Loose } from '../../testing/kind-fixture.ts'

type Change = (pod: Pod) => void

function pod(spec: object = {}): object {
  return { metadata: { annotations: {} }, spec: { containers: [{ name: 'c', image: 'a' }], ...spec } }
}

function changing(sent: object, change: Change): string[] {
  return problemsOfUpdate('pods', sent, (object) => change(object as unknown as Pod))
}

const hard = 'requiredDuringSchedulingIgnoredDuringExecution'
function zone(...values: string[]): object {
  return { key: 'zone', operator: 'In', values }
}

function affinity(...terms: object[]): object {
  return { nodeAffinity: { [hard]: { nodeSelectorTerms: terms } } }
}

const gated = { schedulingGates: [{ name: 'g' }] }

function setAffinity(...terms: object[]): Change {
  return ({ spec }) => void Object.assign(spec, { affinity: affinity(...terms) })
}

describe('a pod at a gate', () => {
  test.each<[string, object, Change]>([
    ['a first affinity', {}, setAffinity({ matchExpressions: [zone('a')] })],
    [
      'one requirement more',
      { affinity: affinity({ matchExpressions: [zone('a')] }) },
      setAffinity({ matchExpressions: [zone('a'), { key: 'disk', operator: 'Exists' }] }),
    ],
    ['one label more', { nodeSelector: { a: 'b' } }, ({ spec }) => void (spec.nodeSelector = { a: 'b', c: 'd' })],
    ['no gate any more', {}, ({ spec }) => void delete spec.schedulingGates],
  ])('may be given %s', (_, spec, change) => {
    expect(changing(pod({ ...gated, ...spec }), change)).toEqual([])
  })

  const terms = `spec.affinity.nodeAffinity.${hard}.nodeSelectorTerms`
  test.each<[object, Change, string]>([
    [
      { affinity: affinity({ matchExpressions: [zone('a')] }) },
      setAffinity({ matchExpressions: [zone('b')] }),
      `${terms}[0]: Invalid value: {"matchExpressions":[{"key":"zone","operator":"In","values":["b"]}]}: only additions are allowed (no mutations or deletions)`,
    ],
    [
      { affinity: affinity({ matchExpressions: [zone('a')] }) },
      setAffinity({ matchExpressions: [zone('a')] }, { matchExpressions: [zone('b')] }),
      'no additions/deletions to non-empty NodeSelectorTerms list are allowed',
    ],
    [
      { affinity: affinity({}) },
      setAffinity({ matchExpressions: [zone('a')] }),
      'only additions are allowed (no mutations or deletions)',
    ],
    [
      { nodeSelector: { a: 'b' } },
      ({ spec }) => void (spec.nodeSelector = {}),
      'spec.nodeSelector: Invalid value: {}: only additions to spec.nodeSelector are allowed (no mutations or deletions)',
    ],
    [
      {},
      ({ spec }) => void spec.schedulingGates?.push({ name: 'h' }),
      "spec.schedulingGates[1].name: Forbidden: only deletion is allowed, but found new scheduling gate 'h'",
    ],
    [
      {},
      ({ spec }) => void (spec.affinity = { podAffinity: {} }),
      'spec: Forbidden: pod updates may not change fields other than',
    ],
  ])('may not: %#', (spec, change, message) => {
    expect(changing(pod({ ...gated, ...spec }), change).join('\n')).toContain(message)
  })
})

test.each<[object, Change, string]>([
  [{}, setAffinity({ matchExpressions: [zone('a')] }), 'spec: Forbidden: pod updates may not change fields other than'],
  [
    {},
    ({ spec }) => void (spec.activeDeadlineSeconds = -1),
    'spec.activeDeadlineSeconds: Invalid value: -1: must be between 0 and 2147483647, inclusive',
  ],
  [
    { activeDeadlineSeconds: 5 },
    ({ spec }) => void delete spec.activeDeadlineSeconds,
    'spec.activeDeadlineSeconds: Invalid value: "null": must not update from a positive integer to nil value',
  ],
  [
    {},
    ({ metadata }) => void (metadata.annotations = { 'kubernetes.io/config.mirror': 'x' }),
    'metadata.annotations[kubernetes.io/config.mirror]: Forbidden: may not add mirror pod annotation',
  ],
  [
    {},
    ({ metadata }) =>
      void (metadata.annotations = { 'container.apparmor.security.beta.kubernetes.io/c': 'unconfined' }),
    'metadata.annotations[container.apparmor.security.beta.kubernetes.io/c]: Forbidden: may not add AppArmor annotations',
  ],
])('any pod may not: %#', (spec, change, message) => {
  expect(changing(pod(spec), change).join('\n')).toContain(message)
})

describe('a resize', () => {
  const sent = (resources: object, more: object = {}): object => ({
    spec: { containers: [{ name: 'c', image: 'a', resources, ...more }] },
  })
  function resized(from: object, to: object, more: object = {}): string[] {
    const previous = created('pods', sent(from, more)) as unknown as Pod
    const next = structuredClone(previous)
    Object.assign(next.spec.containers.at(0) ?? {}, { resources: to })
    const rules = definitionOf('pods').strategy.subresources?.['resize']
    rules?.prepareForUpdate?.(next, previous)
    return (rules?.validateUpdate?.(next, previous) ?? []).map(fieldErrorMessage)
  }
  const at = 'spec.containers[0].resources'
  const memory = { requests: { memory: '1Mi' }, limits: { memory: '2Mi' } }

  test.each<[object, object, object, ...string[]]>([
    [{ requests: { cpu: '1' } }, { requests: { cpu: '2' } }, {}],
    [memory, { requests: { memory: '1Mi' }, limits: { memory: '3Mi' } }, {}],
    [
      { requests: { cpu: '1' } },
      { requests: { memory: '1Mi' } },
      {},
      `${at}.requests: Forbidden: resource requests cannot be removed`,
    ],
    [
      memory,
      { requests: { memory: '1Mi' }, limits: { memory: '1Mi' } },
      {},
      `${at}.limits[memory]: Forbidden: memory limits cannot be decreased unless resizePolicy is RestartContainer`,
    ],
    [
      memory,
      { requests: { memory: '1Mi' }, limits: { memory: '1Mi' } },
      { resizePolicy: [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }] },
    ],
    [
      { requests: { cpu: '1' } },
      { requests: { cpu: '1' }, limits: { memory: '1Mi' } },
      {},
      `${at}.limits[memory]: Forbidden: memory limits cannot be added unless resizePolicy is RestartContainer`,
    ],
    [
      {},
      { requests: { cpu: '1' } },
      {},
      'spec: Invalid value: "BestEffort": Pod QOS Class may not change as a result of resizing',
    ],
    [
      { requests: { cpu: '1', 'ephemeral-storage': '1' } },
      { requests: { cpu: '1', 'ephemeral-storage': '2' } },
      {},
      'spec: Forbidden: only cpu and memory resources are mutable',
    ],
  ])('%#', (from, to, more, ...messages) => {
    expect(resized(from, to, more)).toEqual(messages)
  })
})

describe('a status', () => {
  function written(spec: object, before: object, after: object): string[] {
    const previous = created('pods', pod(spec))
    const next: Loose = { ...previous, status: {} }
    Object.assign(previous.status, before)
    Object.assign(next.status, after)
    const { strategy } = definitionOf('pods')
    strategy.prepareForStatusUpdate?.(next, previous, '2025-01-01T00:00:00Z')
    return (strategy.validateStatusUpdate?.(next, previous) ?? []).map(fieldErrorMessage)
  }
  const ended = (exitCode: number) => ({ containerStatuses: [{ name: 'c', state: { terminated: { exitCode } } }] })
  const running = { containerStatuses: [{ name: 'c', state: { running: {} } }] }
  const again = 'status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state'

  test.each<[object, object, object, ...string[]]>([
    [{}, ended(1), running],
    [{ restartPolicy: 'Never' }, ended(1), running, again],
    [{ restartPolicy: 'OnFailure' }, ended(1), running],
    [{ restartPolicy: 'OnFailure' }, ended(0), running, again],
    [{}, {}, { phase: 'Running' }], // who leaves the quality of service out does not change it
    [{}, {}, { qosClass: 'Guaranteed' }, 'status.qosClass: Invalid value: "Guaranteed": field is immutable'],
    [
      {},
      {},
      { hostIP: '127.0.0.1', hostIPs: [{ ip: '127.0.0.2' }] },
      'status.hostIPs[0].ip: Invalid value: "127.0.0.2": must be equal to `hostIP`',
    ],
    [
      {},
      {},
      { podIPs: [{ ip: 'a' }] },
      'status.podIPs[0]: Invalid value: "a": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    ],
  ])('%#', (spec, before, after, ...messages) => {
    expect(written(spec, before, after)).toEqual(messages)
  })
})
