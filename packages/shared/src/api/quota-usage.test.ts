import { expect, test } from 'vitest'
import { countedFor, quotaUsage } from './quota-usage.ts'
import type { ObjectMeta, Pod, ResourceQuota } from './types.ts'

function meta(name: string): ObjectMeta {
  return {
    name,
    namespace: 'default',
    uid: name,
    resourceVersion: '1',
    creationTimestamp: '',
  }
}

function quota(hard: Record<string, string>, scopes?: string[]): ResourceQuota {
  const spec = { hard, ...(scopes ? { scopes } : {}) }
  return { apiVersion: 'v1', kind: 'ResourceQuota', metadata: meta('quota'), spec, status: {} }
}

function pod(name: string, cpu?: string, phase = 'Running'): Pod {
  const resources = cpu === undefined ? {} : { requests: { cpu } }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: meta(name),
    spec: { containers: [{ name: 'c', resources }] },
    status: { phase },
  }
}

const pods = [pod('a', '250m'), pod('b', '1'), pod('c'), pod('done', '5', 'Succeeded')]

test.each<[string, ResourceQuota, Record<string, string>]>([
  ['only what is limited', quota({ pods: '5' }), { pods: '3' }],
  ['sums, by both names', quota({ cpu: '2', 'requests.cpu': '2' }), { cpu: '1250m', 'requests.cpu': '1250m' }],
  ['also what has ended, where objects are counted', quota({ 'count/pods': '9' }), { 'count/pods': '4' }],
  ['only what is in scope', quota({ pods: '5' }, ['BestEffort']), { pods: '1' }],
  ['nothing of other kinds', quota({ services: '5' }), {}],
])('%s', (_what, one, expected) => expect(quotaUsage(one, { group: '', plural: 'pods' }, pods)).toEqual(expected))

test.each([
  ['cpu', '', 'pods'],
  ['limits.memory', '', 'pods'],
  ['requests.nvidia.com/gpu', '', 'pods'],
  ['requests.storage', '', 'persistentvolumeclaims'],
  ['gold.storageclass.storage.k8s.io/requests.storage', '', 'persistentvolumeclaims'],
  ['services.nodeports', '', 'services'],
  ['secrets', '', 'secrets'],
  ['count/configmaps', '', 'configmaps'],
  ['count/ingresses.networking.k8s.io', 'networking.k8s.io', 'ingresses'],
])('%s counts %s/%s', (name, group, plural) => expect(countedFor(name)).toEqual({ group, plural }))
