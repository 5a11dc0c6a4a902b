/** Who may do what, through the whole pipeline: a server in RBAC mode, asked by its administrator and as others. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { serverFixture } from '../testing/server-fixture.ts'

let fixture: Awaited<ReturnType<typeof serverFixture>>

beforeAll(async () => {
  fixture = await serverFixture({ authorizationModes: ['RBAC'] })
  const rules = [{ verbs: ['get', 'list'], apiGroups: [''], resources: ['pods'] }]
  await made('/roles', { metadata: { name: 'reader' }, rules })
  await made('/rolebindings', bindingTo('Role', 'reader', 'ann'))
  await made('/rolebindings', { ...bindingTo('ClusterRole', 'edit', 'bob'), metadata: { name: 'bob' } })
})
afterAll(() => fixture.close())

const rbac = '/apis/rbac.authorization.k8s.io/v1'
const apiGroup = 'rbac.authorization.k8s.io'

function bindingTo(kind: string, name: string, user: string) {
  return { metadata: { name: user }, roleRef: { apiGroup, kind, name }, subjects: [{ kind: 'User', name: user }] }
}

async function made(plural: string, object: object, namespace = '/namespaces/default') {
  const { code, text } = await fixture.ask('POST', `${rbac}${namespace}${plural}`, object)
  expect(code, text).toBe(201)
}

async function as(user: string, method: string, path: string, body?: object, headers: Record<string, string> = {}) {
  return await fixture.ask(method, path, body, { 'impersonate-user': user, ...headers })
}

async function review(user: string, kind: string, spec: object, group = 'authorization.k8s.io') {
  const path = `/apis/${group}/v1/${kind.toLowerCase()}s`
  return await as(user, 'POST', path, { apiVersion: `${group}/v1`, kind, spec })
}

test('a role allows what it says, where it is bound', async () => {
  expect((await as('ann', 'GET', '/api/v1/namespaces/default/pods')).code).toBe(200)
  const refused = await as('ann', 'GET', '/api/v1/namespaces/kube-system/pods')
  expect(refused.code).toBe(403)
  expect(refused.json).toMatchObject({
    kind: 'Status',
    reason: 'Forbidden',
    message: 'pods is forbidden: User "ann" cannot list resource "pods" in API group "" in the namespace "kube-system"',
    details: { kind: 'pods' },
  })
})

test.each([
  [
    'GET',
    '/api/v1/nodes/x',
    'nodes "x" is forbidden: User "ann" cannot get resource "nodes" in API group "" at the cluster scope',
  ],
  ['GET', '/metrics', 'forbidden: User "ann" cannot get path "/metrics"'],
  [
    'PATCH',
    '/apis/apps/v1/namespaces/default/deployments/web/scale',
    'deployments.apps "web" is forbidden: User "ann" cannot patch resource "deployments/scale" in API group "apps" in the namespace "default"',
  ],
  [
    'GET',
    '/api/v1/namespaces/default/secrets?fieldSelector=metadata.name%3Dtls',
    'secrets "tls" is forbidden: User "ann" cannot list resource "secrets" in API group "" in the namespace "default"',
  ],
])('%s %s', async (method, path, message) => {
  const { code, json } = await as('ann', method, path)
  expect(code).toBe(403)
  expect(json['message']).toBe(message)
})

test('a name is no markup', async () => {
  const { json } = await as('<b>', 'GET', '/api/v1/nodes')
  expect(json['message']).toContain('User "&lt;b&gt;" cannot list')
})

test('everybody may see what there is', async () => {
  for (const path of ['/api', '/apis', '/apis/apps/v1', '/openapi/v3', '/version', '/readyz']) {
    expect((await as('nobody', 'GET', path)).code, path).toBe(200)
  }
})

test('edit lets a user act as the service accounts of the namespace', async () => {
  expect((await as('bob', 'GET', '/api/v1/namespaces/default/pods')).code).toBe(200)
  const account = { verb: 'impersonate', resource: 'serviceaccounts', namespace: 'default', name: 'default' }
  const answer = await review('bob', 'SelfSubjectAccessReview', { resourceAttributes: account })
  expect(answer.json['status']).toMatchObject({ allowed: true })
})

test('groups and extras of the one that is impersonated', async () => {
  const { json } = await as(
    'ann',
    'POST',
    '/apis/authentication.k8s.io/v1/selfsubjectreviews',
    { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
    { 'impersonate-group': 'devs', 'impersonate-uid': '7', 'impersonate-extra-team': 'blue' },
  )
  expect(json['status']).toEqual({
    userInfo: { username: 'ann', uid: '7', groups: ['devs', 'system:authenticated'], extra: { team: ['blue'] } },
  })
})

test('a review of own rights says why', async () => {
  const pods = { verb: 'get', resource: 'pods', namespace: 'default' }
  const yes = await review('ann', 'SelfSubjectAccessReview', { resourceAttributes: pods })
  expect(yes.code).toBe(201)
  expect(yes.json['status']).toEqual({
    allowed: true,
    reason: 'RBAC: allowed by RoleBinding "ann/default" of Role "reader" to User "ann"',
  })
  const no = await review('ann', 'SelfSubjectAccessReview', { resourceAttributes: { ...pods, verb: 'delete' } })
  expect(no.json['status']).toEqual({ allowed: false })
  const path = await review('ann', 'SelfSubjectAccessReview', { nonResourceAttributes: { verb: 'get', path: '/api' } })
  expect(path.json['status']).toMatchObject({ allowed: true })
})

test('a review of others is for those who may ask', async () => {
  const spec = { user: 'ann', resourceAttributes: { verb: 'list', resource: 'pods', namespace: 'default' } }
  expect((await review('ann', 'SubjectAccessReview', spec)).code).toBe(403)
  const path = '/apis/authorization.k8s.io/v1/subjectaccessreviews'
  const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec }
  expect((await fixture.ask('POST', path, body)).json['status']).toMatchObject({ allowed: true })
})

test.each([
  [{}, 'spec.resourceAttributes'],
  [{ resourceAttributes: {}, nonResourceAttributes: {} }, 'spec.nonResourceAttributes'],
  [{ resourceAttributes: { fieldSelector: {} } }, 'spec.resourceAttributes.fieldSelector.requirements'],
  [
    { resourceAttributes: { labelSelector: { rawSelector: 'a', requirements: [{ key: 'a', operator: 'Exists' }] } } },
    'spec.resourceAttributes.labelSelector.rawSelector',
  ],
])('a review that asks nothing clear: %j', async (spec, field) => {
  const { code, json } = await review('ann', 'SelfSubjectAccessReview', spec)
  expect(code).toBe(422)
  expect(json['details']?.['causes']?.[0]?.['field']).toBe(field)
})

test('the rules of a user in a namespace', async () => {
  const { json } = await review('ann', 'SelfSubjectRulesReview', { namespace: 'default' })
  expect(json['status']).toMatchObject({
    incomplete: false,
    resourceRules: expect.arrayContaining([
      { verbs: ['get', 'list'], apiGroups: [''], resources: ['pods'] },
      { verbs: ['create'], apiGroups: ['authentication.k8s.io'], resources: ['selfsubjectreviews'] },
    ]) as object,
    nonResourceRules: expect.arrayContaining([
      { verbs: ['get'], nonResourceURLs: ['/healthz', '/livez', '/readyz', '/version', '/version/'] },
    ]) as object,
  })
  expect(JSON.stringify((await review('ann', 'SelfSubjectRulesReview', { namespace: 'other' })).json)).not.toContain(
    'pods',
  )
})

describe('the past of an object needs the right to see it', () => {
  const of = (resource: string, name: string) => `?resource=${resource}&namespace=default&name=${name}`

  beforeAll(async () => {
    const made = async (plural: string, name: string, cause = '') =>
      await fixture.ask('POST', `/api/v1/namespaces/default/${plural}`, objectOf(plural, name), {
        'x-dinghy-cause': cause,
      })
    const { json } = await made('secrets', 'past')
    await made('pods', 'past', json['metadata']?.['resourceVersion'] as unknown as string)
  })

  function objectOf(plural: string, name: string): object {
    const metadata = { name }
    if (plural === 'secrets') return { metadata, stringData: { password: 'hunter2' } }
    return { metadata, spec: { containers: [{ name: 'c', image: 'i' }], serviceAccountName: 'default' } }
  }

  test.each(['why', 'history', 'who', '%77hy', 'why/'])('%s', async (page) => {
    const field = '&field=.data&diff=true'
    const refused = await as('ann', 'GET', `/debug/${page}${of('secrets', 'past')}${field}`)
    expect(refused.json).toMatchObject({
      code: 403,
      message:
        'secrets "past" is forbidden: User "ann" cannot get resource "secrets" in API group "" in the namespace "default"',
    })
    expect(await as('ann', 'GET', `/debug/${page}${of('po', 'past')}${field}`)).toMatchObject({ code: 200 })
    expect(await as('ann', 'GET', `/debug/${page}${of('secret', 'none')}${field}`)).toMatchObject({ code: 403 })
    expect(await as('bob', 'GET', `/debug/${page}${of('secrets', 'past')}${field}`)).toMatchObject({ code: 200 })
  })

  test('what caused it is told by name to those who may get that, too', async () => {
    const chain = async (user: string) => (await as(user, 'GET', `/debug/why${of('pods', 'past')}`)).json['chain']
    expect(await chain('bob')).toMatchObject([{ name: 'past' }, { kind: 'Secret', name: 'past', namespace: 'default' }])
    const [, cause] = (await chain('ann')) as unknown as [object, object]
    expect(cause).toMatchObject({ kind: 'Secret', name: '(hidden)', key: '', summary: '', verb: 'create' })
    expect(cause).not.toHaveProperty('namespace')
  })

  test.each(['/debug', '/debug/diff?from=1', '/debug/queue'])('%s needs a rule for its path', async (path) => {
    expect((await as('bob', 'GET', path)).code).toBe(403)
    expect((await fixture.ask('GET', path)).code).toBe(200)
  })
})
