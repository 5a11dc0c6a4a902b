import { describe, expect, test } from 'vitest'
import type { Container, EnvVar } from '@dinghy/shared/api/types'
import { configMap, container, pod, secret } from '../testing/objects.ts'
import { expandedCommand, makeEnvironment, type EnvSources } from './env.ts'

const maps = [configMap('settings', { COLOR: 'blue', 'not a name': 'x', PORT: '80' })]
const secrets = [secret('login', { password: 's3cret' })]

const sources: EnvSources = {
  configMap: (name) => maps.find((map) => map.metadata.name === name),
  secret: (name) => secrets.find((one) => one.metadata.name === name),
  serviceEnv: new Map([
    ['KUBERNETES_SERVICE_HOST', '10.96.0.1'],
    ['WEB_SERVICE_PORT', '80'],
  ]),
  podIPs: ['10.244.1.7'],
  hostIPs: ['10.0.0.1'],
  allocatable: { cpu: '2', memory: '4Gi' },
}

const thePod = pod(
  { serviceAccountName: 'builder' },
  {},
  { labels: { app: 'web' }, annotations: { b: '2', a: 'say "hi"' } },
)

function environment(overrides: Partial<Container>): Record<string, string> {
  const { variables } = makeEnvironment(thePod, container(overrides), sources)
  return Object.fromEntries([...variables].filter(([name]) => !sources.serviceEnv.has(name)))
}

function from(valueFrom: NonNullable<EnvVar['valueFrom']>): Partial<Container> {
  return { env: [{ name: 'X', valueFrom }] }
}
function field(fieldPath: string) {
  return from({ fieldRef: { fieldPath } })
}
function resource(name: string, divisor?: string): Partial<Container> {
  return {
    resources: { limits: { cpu: '250m' }, requests: { memory: '64Mi' } },
    ...from({ resourceFieldRef: { resource: name, ...(divisor ? { divisor } : {}) } }),
  }
}

describe('a variable', () => {
  test.each<[string, Partial<Container>, string | undefined]>([
    ['plain value', { env: [{ name: 'X', value: 'v' }] }, 'v'],
    ['no value', { env: [{ name: 'X' }] }, ''],
    ['the last of two', { env: ['1', '2'].map((value) => ({ name: 'X', value })) }, '2'],
    ['metadata.name', field('metadata.name'), 'web'],
    ['metadata.namespace', field('metadata.namespace'), 'default'],
    ['a label', field("metadata.labels['app']"), 'web'],
    ['a label that is not there', field("metadata.labels['nope']"), ''],
    ['all annotations', field('metadata.annotations'), 'a="say \\"hi\\""\nb="2"'],
    ['spec.nodeName', field('spec.nodeName'), 'node-1'],
    ['spec.serviceAccountName', field('spec.serviceAccountName'), 'builder'],
    ['status.podIP', field('status.podIP'), '10.244.1.7'],
    ['status.hostIP', field('status.hostIP'), '10.0.0.1'],
    ['a limit in whole units, rounded up', resource('limits.cpu'), '1'],
    ['a limit in millis', resource('limits.cpu', '1m'), '250'],
    ['a missing limit: the whole node', resource('limits.memory', '1Gi'), '4'],
    ['a request', resource('requests.memory', '1Mi'), '64'],
    ['a missing request', resource('requests.cpu'), '0'],
    ['a ConfigMap key', from({ configMapKeyRef: { name: 'settings', key: 'COLOR' } }), 'blue'],
    ['a Secret key', from({ secretKeyRef: { name: 'login', key: 'password' } }), 's3cret'],
    ['an optional missing map', from({ configMapKeyRef: { name: 'no', key: 'a', optional: true } }), undefined],
    ['an optional missing key', from({ secretKeyRef: { name: 'login', key: 'a', optional: true } }), undefined],
  ])('%s', (_name, overrides, expected) => {
    expect(environment(overrides)['X']).toBe(expected)
  })

  test.each<[string, Partial<Container>, string]>([
    ['a ConfigMap', from({ configMapKeyRef: { name: 'no', key: 'a' } }), 'configmap "no" not found'],
    [
      'a ConfigMap key',
      from({ configMapKeyRef: { name: 'settings', key: 'a' } }),
      "couldn't find key a in ConfigMap default/settings",
    ],
    ['a Secret', from({ secretKeyRef: { name: 'no', key: 'a' } }), 'secret "no" not found'],
    [
      'a Secret key',
      from({ secretKeyRef: { name: 'login', key: 'a' } }),
      "couldn't find key a in Secret default/login",
    ],
    ['an envFrom ConfigMap', { envFrom: [{ configMapRef: { name: 'no' } }] }, 'configmap "no" not found'],
    ['a field', field('spec.color'), 'unsupported fieldPath: spec.color'],
  ])('missing without optional: %s', (_name, overrides, message) => {
    expect(() => environment(overrides)).toThrow(message)
  })
})

test('envFrom takes every key that can be a name, with its prefix; env wins over it', () => {
  const overrides: Partial<Container> = {
    envFrom: [{ prefix: 'C_', configMapRef: { name: 'settings' } }, { secretRef: { name: 'none', optional: true } }],
    env: [{ name: 'C_PORT', value: '81' }],
  }
  expect(environment(overrides)).toEqual({ C_COLOR: 'blue', C_PORT: '81', 'C_not a name': 'x' })
})

test('what cannot be a variable name is left out and reported', () => {
  const overrides: Partial<Container> = { envFrom: [{ prefix: 'A=', secretRef: { name: 'login' } }] }
  const { variables, skipped } = makeEnvironment(thePod, container(overrides), sources)
  expect(variables.has('A=password')).toBe(false)
  expect(skipped).toEqual([{ source: 'secret default/login', keys: ['A=password'] }])
})

test('values refer to earlier variables and to Services, never to later ones', () => {
  const env: EnvVar[] = [
    { name: 'EARLY', value: '$(LATE)' },
    { name: 'HOST', value: 'web' },
    { name: 'URL', value: 'http://$(HOST):$(WEB_SERVICE_PORT)/$$(HOST)' },
    { name: 'LATE', value: 'x' },
  ]
  expect(environment({ env })).toEqual({
    EARLY: '$(LATE)',
    HOST: 'web',
    URL: 'http://web:80/$(HOST)',
    LATE: 'x',
  })
})

test('the Services are there unless the pod sets the same name', () => {
  const env = [{ name: 'WEB_SERVICE_PORT', value: '9' }]
  const { variables } = makeEnvironment(thePod, container({ env }), sources)
  expect(variables.get('WEB_SERVICE_PORT')).toBe('9')
  expect(variables.get('KUBERNETES_SERVICE_HOST')).toBe('10.96.0.1')
})

test('command and args are expanded; what the pod leaves out stays the image’s', () => {
  const variables = new Map([['NAME', 'sea']])
  expect(expandedCommand(container({ command: ['echo', '$(NAME)'] }), variables)).toEqual({
    entrypoint: ['echo', 'sea'],
    cmd: undefined,
  })
  expect(expandedCommand(container({ args: ['$(OTHER)', '$$(NAME)'] }), variables)).toEqual({
    entrypoint: undefined,
    cmd: ['$(OTHER)', '$(NAME)'],
  })
})
