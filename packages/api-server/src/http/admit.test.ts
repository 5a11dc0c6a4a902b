import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { serverFixture } from '../testing/server-fixture.ts'
import { patchAnswer, webhookFixture } from '../testing/webhook-fixture.ts'

let fixture: Awaited<ReturnType<typeof serverFixture>>
let hook: Awaited<ReturnType<typeof webhookFixture>>
const pods = '/api/v1/namespaces/default/pods'
const merge = { 'content-type': 'application/merge-patch+json' }

/** A webhook that hears of everything below pods, of Scales and of reviews. */
beforeAll(async () => {
  hook = await webhookFixture()
  fixture = await serverFixture()
  hook.answers['/hear'] = () => ({ allowed: true })
  const rules = [
    { apiGroups: [''], apiVersions: ['v1'], resources: ['pods/*', 'serviceaccounts/token', 'nodes/proxy'] },
    { apiGroups: ['apps'], apiVersions: ['v1'], resources: ['deployments/scale', 'deployments/status'] },
    { apiGroups: ['authorization.k8s.io'], apiVersions: ['v1'], resources: ['*'] },
  ]
  const webhook = {
    name: 'hear.example.com',
    clientConfig: { url: hook.url('/hear'), caBundle: hook.caBundle },
    rules: rules.map((rule) => ({ ...rule, operations: ['*'] })),
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
  }
  const configurations = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations'
  const made = await fixture.ask('POST', configurations, { metadata: { name: 'hear' }, webhooks: [webhook] })
  expect(made.code).toBe(201)
  const spec = { containers: [{ name: 'c', image: 'busybox' }] }
  for (const name of ['web', 'bound', 'gone']) await fixture.ask('POST', pods, { metadata: { name }, spec })
  const labels = { app: 'web' }
  const template = { metadata: { labels }, spec }
  await fixture.ask('POST', '/apis/apps/v1/namespaces/default/deployments', {
    metadata: { name: 'web' },
    spec: { selector: { matchLabels: labels }, template },
  })
  await fixture.ask('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'robot' } })
  await fixture.ask('POST', '/api/v1/nodes', { metadata: { name: 'node-1' } })
})
afterAll(async () => {
  await fixture.close()
  await hook.close()
})
beforeEach(() => {
  hook.asked.splice(0)
  hook.answers['/hear'] = () => ({ allowed: true })
})

describe('what comes to a subresource is admitted as what it is', () => {
  const scale = '/apis/apps/v1/namespaces/default/deployments/web/scale'
  test.each<[string, string, object | undefined, object, Record<string, string>?]>([
    [
      'POST',
      `${pods}/bound/binding`,
      { metadata: { name: 'bound' }, target: { kind: 'Node', name: 'node-1' } },
      {
        operation: 'CREATE',
        subResource: 'binding',
        kind: { kind: 'Binding' },
        object: { target: { name: 'node-1' } },
      },
    ],
    [
      'POST',
      `${pods}/gone/eviction`,
      { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'gone' } },
      { operation: 'CREATE', subResource: 'eviction', kind: { group: 'policy', kind: 'Eviction' }, name: 'gone' },
    ],
    [
      'PATCH',
      scale,
      { spec: { replicas: 3 } },
      {
        operation: 'UPDATE',
        subResource: 'scale',
        kind: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
        resource: { group: 'apps', resource: 'deployments' },
        object: { kind: 'Scale', spec: { replicas: 3 } },
        oldObject: { spec: { replicas: 1 } },
      },
      merge,
    ],
    [
      'PATCH',
      '/apis/apps/v1/namespaces/default/deployments/web/status',
      { status: { replicas: 1 } },
      { operation: 'UPDATE', subResource: 'status', kind: { kind: 'Deployment' } },
      merge,
    ],
    [
      'POST',
      '/api/v1/namespaces/default/serviceaccounts/robot/token',
      { spec: {} },
      { operation: 'CREATE', subResource: 'token', kind: { group: 'authentication.k8s.io', kind: 'TokenRequest' } },
    ],
    [
      'POST',
      `${pods}/web/exec?command=ls&command=-l&container=c&stdout=true`,
      undefined,
      {
        operation: 'CONNECT',
        subResource: 'exec',
        name: 'web',
        options: null,
        object: { kind: 'PodExecOptions', command: ['ls', '-l'], container: 'c', stdout: true },
      },
    ],
    [
      'GET',
      `${pods}/web/proxy/a/b`,
      undefined,
      { operation: 'CONNECT', subResource: 'proxy', object: { kind: 'PodProxyOptions', path: '/a/b' } },
    ],
    [
      'POST',
      '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
      { spec: { nonResourceAttributes: { path: '/', verb: 'get' } } },
      { operation: 'CREATE', kind: { kind: 'SelfSubjectAccessReview' }, object: { spec: {} } },
    ],
  ])('%s %s', async (method, path, body, expected, headers = {}) => {
    await fixture.ask(method, path, body, headers)
    expect(hook.asked.map(({ review }) => review.request)).toEqual([expect.objectContaining({})])
    expect(hook.asked[0]?.review.request).toMatchObject(expected)
  })

  test('a webhook may change a Scale, and refuse an exec', async () => {
    hook.answers['/hear'] = () => patchAnswer({ op: 'replace', path: '/spec/replicas', value: 2 })
    const scaled = await fixture.ask('PATCH', scale, { spec: { replicas: 9 } }, merge)
    expect(scaled.json).toMatchObject({ kind: 'Scale', spec: { replicas: 2 } })
    hook.answers['/hear'] = () => ({ allowed: false, status: { message: 'no shells here' } })
    const refused = await fixture.ask('POST', `${pods}/web/exec?command=sh`)
    expect(refused.json).toMatchObject({
      code: 400,
      message: 'admission webhook "hear.example.com" denied the request: no shells here',
    })
  })
})

test('custom resources are admitted as built-in ones: in the version of the rule, and pruned afterwards', async () => {
  const group = '/apis/boats.example.com'
  const openAPIV3Schema = {
    type: 'object',
    properties: { spec: { type: 'object', properties: { sails: { type: 'integer' }, color: { type: 'string' } } } },
  }
  const version = { served: true, schema: { openAPIV3Schema } }
  const defined = await fixture.ask('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    metadata: { name: 'boats.boats.example.com' },
    spec: {
      group: 'boats.example.com',
      scope: 'Namespaced',
      names: { plural: 'boats', kind: 'Boat' },
      versions: [
        { ...version, name: 'v1', storage: true },
        { ...version, name: 'v2', storage: false },
      ],
    },
  })
  await fixture.ask('POST', '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations', {
    metadata: { name: 'boats' },
    webhooks: [
      {
        name: 'boats.example.com',
        clientConfig: { url: hook.url('/boats'), caBundle: hook.caBundle },
        rules: [{ apiGroups: ['boats.example.com'], apiVersions: ['v1'], resources: ['boats'], operations: ['*'] }],
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
      },
    ],
  })
  expect([defined.code, defined.text]).toEqual([201, defined.text])
  // A test that waits for what never comes ends by its timeout.
  while ((await fixture.ask('GET', `${group}/v2/boats`)).code !== 200) await new Promise(setImmediate)
  hook.answers['/boats'] = () =>
    patchAnswer({ op: 'add', path: '/spec/color', value: 'red' }, { op: 'add', path: '/spec/nonsense', value: 'x' })
  const boat = { apiVersion: 'boats.example.com/v2', kind: 'Boat', metadata: { name: 'kon-tiki' }, spec: { sails: 1 } }

  const made = await fixture.ask('POST', `${group}/v2/namespaces/default/boats`, boat)
  expect(made.json).toMatchObject({ apiVersion: 'boats.example.com/v2', spec: { sails: 1, color: 'red' } })
  expect(made.text).not.toContain('nonsense')
  expect(hook.asked.find(({ path }) => path === '/boats')?.review.request).toMatchObject({
    kind: { version: 'v1' },
    requestKind: { version: 'v2' },
    object: { apiVersion: 'boats.example.com/v1' },
  })
})
