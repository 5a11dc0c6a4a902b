import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createLogger } from '@dinghy/shared/process/logger'
import { alwaysAllow } from '../../auth/authorize.ts'
import { backendOf } from '../../http/service-endpoint.ts'
import { pod, storeFixture } from '../../testing/store-fixture.ts'
import { type Answer, patchAnswer, webhookFixture } from '../../testing/webhook-fixture.ts'
import { WebhookClient } from '../../webhooks/webhook-client.ts'
import { mutatingAdmissionWebhook } from './mutating-webhook.ts'
import { validatingAdmissionWebhook } from './validating-webhook.ts'

let hook: Awaited<ReturnType<typeof webhookFixture>>
let fixture: ReturnType<typeof storeFixture>
beforeEach(async () => {
  hook = await webhookFixture()
  fixture = storeFixture((reader, { resources, clock }) => {
    const client = new WebhookClient({
      clock,
      locateService: (namespace, name, port) => backendOf(reader, namespace, name, port),
    })
    const log = createLogger({ name: 'test', level: 'error', clock, write: () => {} })
    const deps = { reader, resources, authorizer: alwaysAllow, client, log }
    return [mutatingAdmissionWebhook(deps), validatingAdmissionWebhook(deps)]
  })
  await fixture.create('namespaces', { metadata: { name: 'default', labels: { team: 'a' } } })
})
afterEach(async () => {
  await hook.close()
  fixture.storage.close()
})

const everyPod = { apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['*'] }

/** One configuration with one webhook at /NAME of the server. */
async function configure(kind: 'mutating' | 'validating', name: string, more: object = {}): Promise<void> {
  const webhook = {
    name: `${name}.example.com`,
    clientConfig: { url: hook.url(`/${name}`), caBundle: hook.caBundle },
    rules: [everyPod],
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
    ...more,
  }
  await fixture.create(`${kind}webhookconfigurations`, { metadata: { name }, webhooks: [webhook] })
}

/** Answers by adding a label. */
function label(key: string): Answer {
  return ({ request: { object } }) =>
    patchAnswer({ op: 'add', path: '/metadata/labels', value: { ...object?.metadata.labels, [key]: 'x' } })
}

describe('a mutating webhook', () => {
  test('changes the object, which gets its defaults and loses what it cannot have', async () => {
    hook.answers['/a'] = () =>
      patchAnswer(
        { op: 'add', path: '/spec/containers/-', value: { name: 'sidecar', image: 'busybox', nonsense: 1 } },
        { op: 'add', path: '/metadata/annotations', value: { seen: 'yes' } },
      )
    await configure('mutating', 'a')
    const made = await fixture.create('pods', pod('web'))
    expect(made).toMatchObject({
      metadata: { name: 'web', annotations: { seen: 'yes' } },
      spec: { containers: [{ name: 'c' }, { name: 'sidecar', imagePullPolicy: 'Always' }] },
    })
    expect(JSON.stringify(made)).not.toContain('nonsense')
    expect(hook.asked[0]?.review).toMatchObject({
      kind: 'AdmissionReview',
      apiVersion: 'admission.k8s.io/v1',
      request: {
        kind: { group: '', version: 'v1', kind: 'Pod' },
        resource: { group: '', version: 'v1', resource: 'pods' },
        requestKind: { kind: 'Pod' },
        name: 'web',
        namespace: 'default',
        operation: 'CREATE',
        userInfo: { username: 'tester' },
        object: { kind: 'Pod', apiVersion: 'v1', metadata: { name: 'web' } },
        oldObject: null,
        dryRun: false,
        options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
      },
    })
  })

  test('sees what the one before it did, by the order of their names', async () => {
    hook.answers['/b'] = label('b')
    hook.answers['/a'] = label('a')
    await configure('mutating', 'b')
    await configure('mutating', 'a')
    const made = await fixture.create('pods', pod('web'))
    expect(made.metadata.labels).toEqual({ a: 'x', b: 'x' })
    expect(hook.asked.map(({ path }) => path)).toEqual(['/a', '/b'])
  })

  test('is asked again if it wants to be, and somebody changed the object after it', async () => {
    hook.answers['/a'] = () => ({ allowed: true })
    hook.answers['/b'] = label('b')
    await configure('mutating', 'a', { reinvocationPolicy: 'IfNeeded' })
    await configure('mutating', 'b')
    await configure('mutating', 'c')
    hook.answers['/c'] = () => ({ allowed: true })
    await fixture.create('pods', pod('web'))
    expect(hook.asked.map(({ path }) => path)).toEqual(['/a', '/b', '/c', '/a'])
    expect(hook.asked[3]?.review.request.object?.metadata.labels).toEqual({ b: 'x' })
  })

  test('may not change a deletion', async () => {
    await fixture.create('pods', pod('web'))
    hook.answers['/a'] = label('a')
    await configure('mutating', 'a')
    const { store, definition, context } = fixture
    const deletion = store.delete(definition('pods'), { namespace: 'default', name: 'web' }, {}, context)
    await expect(deletion).rejects.toThrow(
      'admission webhook "a.example.com" attempted to modify the object, which is not supported for this operation',
    )
    expect(hook.asked[0]?.review.request).toMatchObject({
      operation: 'DELETE',
      object: null,
      oldObject: { metadata: { name: 'web' } },
      options: { kind: 'DeleteOptions' },
    })
  })

  test('does not touch the status by way of the object', async () => {
    await fixture.create('pods', pod('web'))
    hook.answers['/a'] = () =>
      patchAnswer(
        { op: 'add', path: '/status/phase', value: 'Failed' },
        { op: 'add', path: '/metadata/labels', value: { a: 'x' } },
      )
    await configure('mutating', 'a')
    const { store, definition, context } = fixture
    const ref = { namespace: 'default', name: 'web' }
    const { entry } = await store.update(definition('pods'), ref, (current) => current, context)
    expect(entry.object).toMatchObject({ metadata: { labels: { a: 'x' } }, status: { phase: 'Pending' } })
  })
})

describe('a validating webhook', () => {
  test('refuses in its own words, with its code', async () => {
    hook.answers['/a'] = () => ({
      allowed: false,
      status: { message: 'not on Fridays', code: 418, reason: 'Friday' },
      warnings: ['it is late'],
    })
    await configure('validating', 'a')
    await expect(fixture.create('pods', pod('web'))).rejects.toMatchObject({
      message: 'admission webhook "a.example.com" denied the request: not on Fridays',
      status: { code: 418, reason: 'Friday', status: 'Failure' },
    })
    expect(fixture.warnings).toEqual(['it is late'])
  })

  test.each<[string, object, string]>([
    ['says nothing', { allowed: false }, 'admission webhook "a.example.com" denied the request without explanation'],
    [
      'patches',
      { allowed: true, patch: 'W10=' },
      'Internal error occurred: failed calling webhook "a.example.com": received invalid webhook response: validating webhook may not return response.patch',
    ],
    [
      'answers another question',
      { allowed: true, uid: 'other' },
      'received invalid webhook response: expected response.uid="',
    ],
    [
      'breaks',
      { statusCode: 500, body: 'boom' },
      'failed calling webhook "a.example.com": failed to call webhook: an error on the server ("boom") has prevented the request from succeeding',
    ],
    [
      'is not there',
      { statusCode: 404, body: '' },
      'failed to call webhook: the server could not find the requested resource',
    ],
    ['talks nonsense', { statusCode: 200, body: 'hello' }, "couldn't get version/kind; json parse error"],
  ])('that %s', async (_, answer, message) => {
    hook.answers['/a'] = () => answer
    await configure('validating', 'a')
    await expect(fixture.create('pods', pod('web'))).rejects.toThrow(message)
  })

  test('that fails may be ignored', async () => {
    hook.answers['/a'] = () => ({ statusCode: 500, body: '' })
    await configure('validating', 'a', { failurePolicy: 'Ignore' })
    await configure('mutating', 'b', { failurePolicy: 'Ignore', clientConfig: { url: 'https://127.0.0.1:1/' } })
    expect(await fixture.create('pods', pod('web'))).toMatchObject({ metadata: { name: 'web' } })
  })

  test('that is silent is given up', async () => {
    let isAsked = () => {}
    const asked = new Promise<void>((resolve) => (isAsked = resolve))
    hook.answers['/a'] = () => {
      isAsked()
      return new Promise<object>(() => {})
    }
    await configure('validating', 'a', { timeoutSeconds: 3 })
    const attempt = fixture.create('pods', pod('web'))
    const outcome = expect(attempt).rejects.toThrow(
      `failed to call webhook: Post "${hook.url('/a')}?timeout=3s": context deadline exceeded`,
    )
    await asked
    await fixture.clock.advance(3000)
    await outcome
  })

  test.each([
    ['nobody listens', () => ({ url: 'https://127.0.0.1:1/x' }), 'dial tcp 127.0.0.1:1: connect: connection refused'],
    [
      'its certificate is a stranger’s',
      () => ({ url: hook.url('/a') }),
      'tls: failed to verify certificate: x509: certificate signed by unknown authority',
    ],
    [
      'its certificate is for another name',
      () => ({ url: hook.url('/a').replace('127.0.0.1', 'localhost'), caBundle: hook.caBundle }),
      'tls: failed to verify certificate: x509: ',
    ],
    [
      'its Service is not there',
      () => ({ service: { namespace: 'default', name: 'none' }, caBundle: hook.caBundle }),
      'Post "https://none.default.svc:443/?timeout=10s": services "none" not found',
    ],
  ])('is not reached when %s', async (_, clientConfig, message) => {
    await configure('validating', 'a', { clientConfig: clientConfig() })
    await expect(fixture.create('pods', pod('web'))).rejects.toThrow(message)
  })

  test('is reached by its Service, under the name of which it has its certificate', async () => {
    await fixture.create('services', {
      metadata: { name: 'hook' },
      spec: { ports: [{ name: 'https', port: 8443, targetPort: hook.port }] },
    })
    await fixture.create('endpointslices', {
      metadata: { name: 'hook-x', labels: { 'kubernetes.io/service-name': 'hook' } },
      addressType: 'IPv4',
      ports: [{ name: 'https', port: hook.port }],
      endpoints: [{ addresses: ['127.0.0.1'] }],
    })
    hook.answers['/check'] = () => ({ allowed: true })
    const service = { namespace: 'default', name: 'hook', path: '/check', port: 8443 }
    await configure('validating', 'a', { clientConfig: { service, caBundle: hook.caBundle } })
    await fixture.create('pods', pod('web'))
    expect(hook.asked).toHaveLength(1)
  })

  test('is reached by a Service that is the name of another machine', async () => {
    const spec = { type: 'ExternalName', externalName: 'localhost' }
    await fixture.create('services', { metadata: { name: 'hook' }, spec })
    hook.answers['/check'] = () => ({ allowed: true })
    const service = { namespace: 'default', name: 'hook', path: '/check', port: hook.port }
    await configure('validating', 'a', { clientConfig: { service, caBundle: hook.caBundle } })
    await fixture.create('pods', pod('web'))
    expect(hook.asked).toHaveLength(1)
  })
})

describe('which requests a webhook is asked about', () => {
  const rule = (more: object) => ({ rules: [{ ...everyPod, ...more }] })
  test.each<[string, object, boolean]>([
    ['every pod', {}, true],
    ['other resources', rule({ resources: ['secrets', 'pods/log'] }), false],
    ['everything', rule({ resources: ['*'], apiGroups: ['*'], apiVersions: ['*'] }), true],
    ['subresources', rule({ resources: ['pods/*'] }), true],
    ['updates', rule({ operations: ['UPDATE', 'DELETE'] }), false],
    ['cluster-wide objects', rule({ scope: 'Cluster' }), false],
    ['namespaces of team a', { namespaceSelector: { matchLabels: { team: 'a' } } }, true],
    ['namespaces of team b', { namespaceSelector: { matchLabels: { team: 'b' } } }, false],
    ['pods of web', { objectSelector: { matchLabels: { app: 'web' } } }, true],
    ['pods without app', { objectSelector: { matchExpressions: [{ key: 'app', operator: 'DoesNotExist' }] } }, false],
    ['a true condition', { matchConditions: [{ name: 'x', expression: 'object.metadata.name == "web"' }] }, true],
    [
      'a false one beside one that fails',
      {
        matchConditions: [
          { name: 'x', expression: 'object.spec.none == 1' },
          { name: 'y', expression: 'request.userInfo.username == "somebody"' },
        ],
      },
      false,
    ],
    [
      'one that asks the authorizer',
      { matchConditions: [{ name: 'x', expression: 'authorizer.requestResource.check("create").allowed()' }] },
      true,
    ],
  ])('%s', async (_, more, isAsked) => {
    hook.answers['/a'] = () => ({ allowed: true })
    await configure('validating', 'a', more)
    await fixture.create('pods', pod('web', { labels: { app: 'web' } }))
    expect(hook.asked.length).toBe(isAsked ? 1 : 0)
  })

  test('a condition that fails refuses, or is no match', async () => {
    const matchConditions = [{ name: 'x', expression: 'object.spec.none == 1' }]
    await configure('validating', 'a', { matchConditions })
    await expect(fixture.create('pods', pod('web'))).rejects.toThrow(
      `pods "web" is forbidden: expression 'object.spec.none == 1' resulted in error: no such key: none`,
    )
    await configure('mutating', 'b', { matchConditions, failurePolicy: 'Ignore' })
    expect(hook.asked).toEqual([])
  })

  test('never about webhooks themselves, and on a dry run only without side effects', async () => {
    hook.answers['/a'] = () => ({ allowed: false })
    const all = { apiGroups: ['*'], apiVersions: ['*'], resources: ['*/*'], operations: ['*'] }
    await configure('validating', 'a', { rules: [all], sideEffects: 'NoneOnDryRun' })
    await configure('validating', 'b')
    expect(hook.asked).toEqual([])
    const { store, definition, dryRun } = fixture
    const attempt = store.create(definition('pods'), 'default', pod('web') as never, dryRun)
    await expect(attempt).rejects.toThrow('denied the request')
    expect(hook.asked[0]?.review.request.dryRun).toBe(true)
  })

  test('in the version that it knows, and not at all if only that one counts', async () => {
    hook.answers['/a'] = (review) =>
      patchAnswer({ op: 'replace', path: '/spec/targetCPUUtilizationPercentage', value: 55, was: review })
    const v1 = {
      apiGroups: ['autoscaling'],
      apiVersions: ['v1'],
      resources: ['horizontalpodautoscalers'],
      operations: ['*'],
    }
    await configure('mutating', 'a', { rules: [v1] })
    await configure('validating', 'b', { rules: [v1], matchPolicy: 'Exact' })
    const { store, resources, context } = fixture
    const v2 = resources.get('autoscaling', 'v2', 'horizontalpodautoscalers')
    if (!v2) throw new Error('no autoscaling/v2')
    const cpu = { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } }
    const scaler = {
      metadata: { name: 'x' },
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
        maxReplicas: 3,
        metrics: [{ type: 'Resource', resource: cpu }],
      },
    }
    const entry = await store.create(v2, 'default', scaler as never, context)
    expect(hook.asked.map(({ path }) => path)).toEqual(['/a'])
    expect(hook.asked[0]?.review.request).toMatchObject({
      kind: { version: 'v1' },
      requestKind: { version: 'v2' },
      object: { apiVersion: 'autoscaling/v1', spec: { targetCPUUtilizationPercentage: 80 } },
    })
    expect(entry.object).toMatchObject({
      apiVersion: 'autoscaling/v2',
      spec: { metrics: [{ resource: { target: { averageUtilization: 55 } } }] },
    })
  })
})
