import { expect, test } from 'vitest'
import { created, problemsOf } from '../../testing/kind-fixture.ts'

const priorities = { groupPriorityMinimum: 100, versionPriority: 100 }
function apiService(more: object) {
  return {
    metadata: { name: 'v1.boats.example.com' },
    spec: { group: 'boats.example.com', version: 'v1', service: { namespace: 'n', name: 's' }, ...priorities, ...more },
  }
}

test.each<[object, string[]]>([
  [apiService({}), []],
  [
    apiService({ group: 'ships.example.com' }),
    [
      'metadata.name: Invalid value: "v1.boats.example.com": must be `spec.version+"."+spec.group`: "v1.ships.example.com"',
    ],
  ],
  [
    apiService({ groupPriorityMinimum: 20001, versionPriority: 0 }),
    [
      'spec.groupPriorityMinimum: Invalid value: 20001: must be positive and less than 20000',
      'spec.versionPriority: Invalid value: 0: must be positive and less than 1000',
    ],
  ],
  [
    apiService({ service: undefined, insecureSkipTLSVerify: true, caBundle: 'eA==' }),
    [
      'spec.caBundle: Invalid value: "1 bytes": local APIServices may not have a caBundle',
      'spec.insecureSkipTLSVerify: Invalid value: true: local APIServices may not have insecureSkipTLSVerify',
    ],
  ],
  [
    apiService({ service: {}, insecureSkipTLSVerify: true, caBundle: 'eA==' }),
    [
      'spec.service.namespace: Required value',
      'spec.service.name: Required value',
      'spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present',
    ],
  ],
])('APIService %#', (sent, messages) => {
  expect(created('apiservices', apiService({}))).toMatchObject({ spec: { service: { port: 443 } } })
  expect(problemsOf('apiservices', sent)).toEqual(messages)
})
