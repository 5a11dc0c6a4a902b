import { expect, test } from 'vitest'
import { podRequests, podRequestsAssumed, type Resources } from './resources.ts'
import { pod, type PodTraits } from './testing/objects.ts'

function container(name: string, requests: Record<string, string>, more: object = {}) {
  return {
    name,
    image: 'app',
    resources: { requests },
    ...more,
  }
}
function sidecar(name: string, requests: Record<string, string>) {
  return container(name, requests, { restartPolicy: 'Always' })
}

test.each<[string, PodTraits, Resources]>([
  ['nothing', {}, {}],
  ['parses units', { requests: { cpu: '250m', memory: '64Mi' } }, { cpu: 250, memory: 67_108_864 }],
  [
    'adds up containers',
    { spec: { containers: [container('a', { cpu: '1' }), container('b', { cpu: '500m', gpu: '1' })] } },
    { cpu: 1500, gpu: 1 },
  ],
  [
    'a large init container counts instead of the sum',
    { requests: { cpu: '1', memory: '1Gi' }, spec: { initContainers: [container('i', { cpu: '3' })] } },
    { cpu: 3000, memory: 1024 ** 3 },
  ],
  [
    'a sidecar stays: it adds to the containers, and to init containers that come after it',
    {
      spec: {
        containers: [container('a', { cpu: '1' })],
        initContainers: [container('i', { cpu: '2' }), sidecar('s', { cpu: '1' }), container('j', { cpu: '2' })],
      },
    },
    { cpu: 3000 },
  ],
  [
    'overhead comes on top',
    { requests: { cpu: '1' }, spec: { containers: [container('a', { cpu: '1' })], overhead: { cpu: '250m' } } },
    { cpu: 1250 },
  ],
  [
    'while a container shrinks in place, the larger amount counts',
    {
      requests: { cpu: '1' },
      status: {
        containerStatuses: [
          { name: 'main', image: '', imageID: '', ready: true, restartCount: 0, allocatedResources: { cpu: '2' } },
        ],
      },
    },
    { cpu: 2000 },
  ],
])('%s', (_what, traits, expected) => expect(podRequests(pod('p', traits))).toEqual(expected))

test('for scoring, containers without a request are assumed to use something, each of them', () => {
  const one = pod('p', { spec: { containers: [container('a', {}), container('b', { cpu: '0' })] } })
  expect(podRequestsAssumed(one)).toEqual({ cpu: 100, memory: 2 * 200 * 1024 * 1024 })
})
