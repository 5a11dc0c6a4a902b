import { expect, test } from 'vitest'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import { changes } from './changed-paths.ts'
import { factsOf, fieldName, sentenceOf } from './facts.ts'

function pod(fields: object): KubernetesObject {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, ...fields } as unknown as KubernetesObject
}

const ready = { type: 'Ready', status: 'True' }
const unready = { type: 'Ready', status: 'False', reason: 'ContainersNotReady' }
function container(state: object, restartCount = 0) {
  return { name: 'web', restartCount, state }
}

const cases: [string, object, object, string[]][] = [
  ['binding', { spec: {} }, { spec: { nodeName: 'node-1' } }, ['bound to node-1']],
  ['readiness', { status: { conditions: [unready] } }, { status: { conditions: [ready] } }, ['became Ready']],
  [
    'lost readiness',
    { status: { conditions: [ready] } },
    { status: { conditions: [unready] } },
    ['is not Ready (ContainersNotReady)'],
  ],
  [
    'a start',
    { status: { phase: 'Pending', containerStatuses: [container({ waiting: { reason: 'ContainerCreating' } })] } },
    { status: { phase: 'Running', podIP: '127.64.1.2', containerStatuses: [container({ running: {} })] } },
    ['container web started', 'is Running'],
  ],
  [
    'a restart',
    { status: { containerStatuses: [container({ running: { startedAt: 'a' } })] } },
    { status: { containerStatuses: [container({ running: { startedAt: 'b' } }, 1)] } },
    ['container web restarted (1\u00d7)'],
  ],
  [
    'a crash',
    { status: { containerStatuses: [container({ running: {} })] } },
    { status: { containerStatuses: [container({ terminated: { exitCode: 3 } })] } },
    ['container web ended with 3'],
  ],
  [
    'no node',
    { status: {} },
    { status: { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable' }] } },
    ['is not PodScheduled (Unschedulable)'],
  ],
  ['deletion', {}, { metadata: { name: 'p', deletionTimestamp: 'now' } }, ['marked for deletion']],
  ['scaling', { spec: { replicas: 2 } }, { spec: { replicas: 4 } }, ['scaled from 2 to 4']],
  ['counts', { status: { replicas: 2 } }, { status: { replicas: 2, readyReplicas: 1 } }, ['ready 0 \u2192 1']],
  [
    'an image',
    { spec: { template: { spec: { containers: [{ name: 'a', image: 'x' }] } } } },
    { spec: { template: { spec: { containers: [{ name: 'a', image: 'y' }] } } } },
    ['image is now y'],
  ],
  [
    'a node that nobody hears of',
    { status: { conditions: [{ type: 'MemoryPressure', status: 'False' }, ready] } },
    {
      status: {
        conditions: [
          { type: 'MemoryPressure', status: 'Unknown' },
          { type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown' },
        ],
      },
    },
    ['is Ready or not, nobody knows (NodeStatusUnknown)'],
  ],
  [
    'a heartbeat',
    { status: { conditions: [{ ...ready, lastHeartbeatTime: 'a' }] } },
    { status: { conditions: [{ ...ready, lastHeartbeatTime: 'b' }] } },
    ['heartbeat'],
  ],
  ['another field', { spec: {} }, { spec: { paused: true } }, ['changed spec.paused']],
  [
    'what nobody asks for, when there is nothing else',
    { status: {} },
    { status: { observedGeneration: 2 } },
    ['changed status.observedGeneration'],
  ],
]

test.each(cases)('tells %s', (_what, before, after, facts) => {
  expect(factsOf(pod(before), pod(after), changes(pod(before), pod(after)))).toEqual(facts)
})

test('a sentence has room for three facts', () => {
  expect(sentenceOf(['a', 'b', 'c', 'd', 'e'])).toBe('a, b, c and 2 more')
})

test.each([
  ['/spec/replicas', 'spec.replicas'],
  ['/metadata/labels/app.kubernetes.io~1name', 'metadata.labels[app.kubernetes.io/name]'],
  ['/spec/containers/0/image', 'spec.containers[0].image'],
])('names the field %s', (path, name) => expect(fieldName(path)).toBe(name))
