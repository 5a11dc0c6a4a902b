import { describe, expect, test } from 'vitest'
import type { PodSpec } from '@dinghy/shared/api/types'
import { container, pod } from '../testing/objects.ts'
import { admission, requestOf } from './admission.ts'

const node = {
  name: 'node-1',
  labels: { zone: 'a', size: '4' },
  allocatable: { cpu: '2', memory: '1Gi', pods: '2', 'ephemeral-storage': '10Gi' },
}
function asking(cpu: string, overrides = {}) {
  return container({ resources: { requests: { cpu } }, ...overrides })
}
const other = pod(
  { containers: [asking('1500m', { ports: [{ containerPort: 80, hostPort: 80 }] })] },
  {},
  { uid: 'other' },
)
function affinity(operator: string, values?: string[], key = 'zone'): Partial<PodSpec> {
  return {
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [{ key, operator, ...(values ? { values } : {}) }] }],
        },
      },
    },
  }
}

describe('admission', () => {
  test.each<[string, Partial<PodSpec>, string | undefined]>([
    ['nothing asked', {}, undefined],
    ['just fits', { containers: [asking('500m')] }, undefined],
    [
      'too much CPU',
      { containers: [asking('501m')] },
      "OutOfcpu: Node didn't have enough resource: cpu, requested: 501, used: 1500, capacity: 2000",
    ],
    [
      'too much memory',
      { containers: [container({ resources: { requests: { memory: '2Gi' } } })] },
      "OutOfmemory: Node didn't have enough resource: memory, requested: 2147483648, used: 0, capacity: 1073741824",
    ],
    [
      'a host port that is taken',
      { containers: [container({ ports: [{ containerPort: 8080, hostPort: 80 }] })] },
      'NodePorts: Predicate NodePorts failed',
    ],
    ['another node’s selector', { nodeSelector: { zone: 'b' } }, 'NodeAffinity: Predicate NodeAffinity failed'],
    ['our selector', { nodeSelector: { zone: 'a' } }, undefined],
    ['In', affinity('In', ['a', 'b']), undefined],
    ['In, not ours', affinity('In', ['b']), 'NodeAffinity: Predicate NodeAffinity failed'],
    ['NotIn', affinity('NotIn', ['a']), 'NodeAffinity: Predicate NodeAffinity failed'],
    ['Exists', affinity('Exists'), undefined],
    ['DoesNotExist', affinity('DoesNotExist', undefined, 'gpu'), undefined],
    ['Gt', affinity('Gt', ['3'], 'size'), undefined],
    ['Lt', affinity('Lt', ['3'], 'size'), 'NodeAffinity: Predicate NodeAffinity failed'],
  ])('%s', (_name, spec, expected) => {
    const refusal = admission(pod(spec), [other], node)
    expect(refusal && `${refusal.reason}: ${refusal.message}`).toBe(expected)
  })

  test('finished pods take no room; pods beyond the limit are refused', () => {
    const another = pod({}, {}, { uid: 'another' })
    const message = "Node didn't have enough resource: pods, requested: 1, used: 2, capacity: 2"
    expect(admission(pod(), [other, another], node)).toEqual({ reason: 'OutOfpods', message })
    expect(admission(pod(), [{ ...other, status: { phase: 'Failed' } }, another], node)).toBeUndefined()
  })
})

test('init containers count by their peak, sidecars with everything that runs beside them', () => {
  const initContainers = [asking('100m', { name: 'proxy', restartPolicy: 'Always' }), asking('900m', { name: 'init' })]
  expect(requestOf(pod({ initContainers, containers: [asking('500m')] }), 'cpu')).toBe(1000)
  expect(requestOf(pod({ initContainers, containers: [asking('2')] }), 'cpu')).toBe(2100)
})
