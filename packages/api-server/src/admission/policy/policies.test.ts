import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { KubernetesObject, ValidatingAdmissionPolicy } from '@dinghy/shared/api/types'
import { alwaysAllow } from '../../auth/authorize.ts'
import { loadCel } from '../../cel/load-cel.ts'
import { pod, storeFixture } from '../../testing/store-fixture.ts'
import { checkTypes } from './type-checking.ts'
import { validatingAdmissionPolicy } from './validating-admission-policy.ts'

let fixture: ReturnType<typeof storeFixture>
beforeEach(async () => {
  fixture = storeFixture((reader, { resources }) => [
    validatingAdmissionPolicy({ reader, resources, authorizer: alwaysAllow }),
  ])
  await fixture.create('namespaces', { metadata: { name: 'default', labels: { team: 'a' } } })
})
afterEach(() => fixture.storage.close())

const pods = { apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['CREATE', 'UPDATE'] }

async function policy(spec: object, name = 'p'): Promise<void> {
  const matchConstraints = { resourceRules: [pods] }
  await fixture.create('validatingadmissionpolicies', { metadata: { name }, spec: { matchConstraints, ...spec } })
}
async function bind(spec: object = {}, name = 'b'): Promise<void> {
  await fixture.create('validatingadmissionpolicybindings', {
    metadata: { name },
    spec: { policyName: 'p', validationActions: ['Deny'], ...spec },
  })
}
function rule(expression: string, more: object = {}): object {
  return { validations: [{ expression, ...more }] }
}
async function attempt(labels: object = {}): Promise<KubernetesObject> {
  return await fixture.create('pods', pod('web', { labels }))
}

describe('a policy', () => {
  test('without a binding does nothing', async () => {
    await policy(rule('false'))
    expect(await attempt()).toMatchObject({ metadata: { name: 'web' } })
  })

  test('refuses what it finds false', async () => {
    await policy(rule('has(object.metadata.labels.app)'))
    await bind()
    await expect(attempt()).rejects.toMatchObject({
      message: `pods "web" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: failed expression: has(object.metadata.labels.app)`,
      status: {
        code: 422,
        reason: 'Invalid',
        details: { causes: [{ message: expect.stringMatching(/^Validating/) }] },
      },
    })
    expect(await attempt({ app: 'x' })).toMatchObject({ metadata: { labels: { app: 'x' } } })
  })

  test.each<[string, object, object]>([
    ['its message', { message: ' too bad ' }, { message: expect.stringMatching(/denied request: too bad$/) }],
    [
      'a message that is computed',
      { message: 'no', messageExpression: '"no " + object.metadata.name' },
      { message: expect.stringMatching(/: no web$/) },
    ],
    [
      'its message, if the computed one fails',
      { message: 'no', messageExpression: 'object.none' },
      { message: expect.stringMatching(/: no$/) },
    ],
    ['its reason', { reason: 'Forbidden' }, { status: { code: 403, reason: 'Forbidden' } }],
    ['another', { reason: 'RequestEntityTooLarge' }, { status: { code: 413 } }],
  ])('tells %s', async (_, more, expected) => {
    await policy(rule('false', more))
    await bind()
    await expect(attempt()).rejects.toMatchObject(expected)
  })

  test.each<[string, object, boolean]>([
    [
      'variables, which may build on one another',
      {
        variables: [
          { name: 'labels', expression: 'object.metadata.?labels.orValue({})' },
          { name: 'app', expression: 'variables.labels[?"app"].orValue("none")' },
        ],
        ...rule('variables.app == "none"'),
      },
      true,
    ],
    [
      'a variable that fails where nobody asks for it',
      {
        variables: [{ name: 'x', expression: 'object.none.none' }],
        ...rule('true || variables.x'),
      },
      true,
    ],
    [
      'the namespace',
      rule('namespaceObject.metadata.labels.team == "a" && namespaceObject.metadata.name == "default"'),
      true,
    ],
    [
      'the request',
      rule('request.userInfo.username == "tester" && request.operation == "CREATE" && !request.dryRun'),
      true,
    ],
    ['the authorizer', rule('authorizer.group("").resource("pods").check("get").allowed()'), true],
    ['numbers', rule('object.spec.terminationGracePeriodSeconds + 1 == 31'), true],
    [
      'conditions that are not met',
      { ...rule('false'), matchConditions: [{ name: 'x', expression: 'object.metadata.name == "other"' }] },
      true,
    ],
    [
      'conditions that are',
      { ...rule('false'), matchConditions: [{ name: 'x', expression: 'object.metadata.name == "web"' }] },
      false,
    ],
    ['what cannot be evaluated', rule('object.spec.none == 1'), false],
    ['the same, if failures are ignored', { ...rule('object.spec.none == 1'), failurePolicy: 'Ignore' }, true],
    [
      'other kinds',
      { ...rule('false'), matchConstraints: { resourceRules: [{ ...pods, resources: ['secrets'] }] } },
      true,
    ],
    [
      'all but these',
      {
        ...rule('false'),
        matchConstraints: { resourceRules: [pods], excludeResourceRules: [{ ...pods, resourceNames: ['web'] }] },
      },
      true,
    ],
    ['names', { ...rule('false'), matchConstraints: { resourceRules: [{ ...pods, resourceNames: ['other'] }] } }, true],
    [
      'other namespaces',
      {
        ...rule('false'),
        matchConstraints: { resourceRules: [pods], namespaceSelector: { matchLabels: { team: 'b' } } },
      },
      true,
    ],
  ])('may speak of %s', async (_, spec, isAllowed) => {
    await policy(spec)
    await bind()
    if (isAllowed) expect(await attempt()).toMatchObject({ metadata: { name: 'web' } })
    else await expect(attempt()).rejects.toThrow("ValidatingAdmissionPolicy 'p' with binding 'b' denied request: ")
  })

  test('says how an evaluation failed', async () => {
    await policy(rule('object.spec.none == 1'))
    await bind()
    await expect(attempt()).rejects.toThrow(
      "denied request: expression 'object.spec.none == 1' resulted in error: no such key: none",
    )
  })

  test('is stopped when it costs too much', async () => {
    const all = 'object.spec.containers[0].env'
    await policy(rule(`${all}.all(a, ${all}.all(b, ${all}.all(c, a.name + b.name != c.name)))`))
    await bind()
    const env = Array.from({ length: 150 }, (_, i) => ({ name: `V${i}`, value: 'x' }))
    const containers = [{ name: 'c', image: 'busybox', env }]
    await expect(fixture.create('pods', { metadata: { name: 'web' }, spec: { containers } })).rejects.toThrow(
      'resulted in error: operation cancelled: actual cost limit exceeded',
    )
  })

  test('sees both states of a change', async () => {
    await policy(rule('oldObject == null || object.metadata.?labels.app == oldObject.metadata.?labels.app'))
    await bind()
    await attempt({ app: 'x' })
    const { store, definition, context } = fixture
    const relabel = (current: KubernetesObject | undefined): KubernetesObject => {
      if (!current) throw new Error('it is gone')
      return { ...current, metadata: { ...current.metadata, labels: { app: 'y' } } }
    }
    const relabelled = store.update(definition('pods'), { namespace: 'default', name: 'web' }, relabel, context)
    await expect(relabelled).rejects.toThrow('denied request')
  })
})

describe('a binding', () => {
  test('may only warn, or note something down', async () => {
    const notes: Record<string, string> = {}
    fixture.context.annotate = (key, value) => void (notes[key] = value)
    await policy({
      ...rule('false', { message: 'tut tut' }),
      auditAnnotations: [
        { key: 'who', valueExpression: 'object.metadata.name' },
        { key: 'none', valueExpression: 'null' },
      ],
    })
    await bind({ validationActions: ['Warn', 'Audit'] })
    await attempt()
    expect(fixture.warnings).toEqual(["Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': tut tut"])
    expect(notes['p/who']).toBe('web')
    expect(notes).not.toHaveProperty('p/none')
    expect(JSON.parse(notes['validation.policy.admission.k8s.io/validation_failure'] ?? '')).toEqual([
      { message: 'tut tut', policy: 'p', binding: 'b', expressionIndex: 0, validationActions: ['Warn', 'Audit'] },
    ])
  })

  test('may narrow what its policy is about', async () => {
    await policy(rule('false'))
    await bind({ matchResources: { objectSelector: { matchLabels: { strict: 'yes' } } } })
    expect(await attempt()).toMatchObject({ metadata: { name: 'web' } })
    await expect(attempt({ strict: 'yes' })).rejects.toThrow('denied request')
  })

  describe('with parameters', () => {
    const limit = (name: string, data: object, labels: object = {}) =>
      fixture.create('configmaps', { metadata: { name, labels }, data })
    beforeEach(async () => {
      await policy({
        paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
        ...rule('object.metadata.name.startsWith(params.data.prefix)', {
          messageExpression: '"must begin with " + params.data.prefix',
        }),
      })
    })

    test('by name', async () => {
      await limit('limits', { prefix: 'w' })
      await bind({ paramRef: { name: 'limits', parameterNotFoundAction: 'Deny' } })
      expect(await attempt()).toMatchObject({ metadata: { name: 'web' } })
      await expect(fixture.create('pods', pod('db'))).rejects.toThrow('denied request: must begin with w')
    })

    test('by labels, each of which must be kept', async () => {
      await limit('a', { prefix: 'w' }, { kind: 'limit' })
      await limit('b', { prefix: 'web-' }, { kind: 'limit' })
      await bind({ paramRef: { selector: { matchLabels: { kind: 'limit' } }, parameterNotFoundAction: 'Deny' } })
      await expect(attempt()).rejects.toThrow('must begin with web-')
      expect(await fixture.create('pods', pod('web-1'))).toMatchObject({ metadata: { name: 'web-1' } })
    })

    test.each([
      ['Deny', 'failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction'],
      ['Allow', undefined],
    ])('that are not there: %s', async (parameterNotFoundAction, refusal) => {
      await bind({ paramRef: { name: 'limits', parameterNotFoundAction } })
      if (refusal) await expect(attempt()).rejects.toThrow(refusal)
      else expect(await attempt()).toMatchObject({ metadata: { name: 'web' } })
    })
  })

  test('of a kind that nobody serves', async () => {
    await policy({ ...rule('true'), paramKind: { apiVersion: 'example.com/v1', kind: 'Limit' } })
    await bind({ paramRef: { name: 'x', parameterNotFoundAction: 'Allow' } })
    await expect(attempt()).rejects.toThrow(
      "failed to configure binding: failed to find resource referenced by paramKind: 'example.com/v1, Kind=Limit'",
    )
  })
})

test.each<[object, string]>([
  [
    rule('object.spec. == 1'),
    'spec.validations[0].expression: Invalid value: "object.spec. == 1": compilation failed: ERROR: <input>:1:14: Syntax error',
  ],
  [rule('"text"'), 'spec.validations[0].expression: Invalid value: "\\"text\\"": must evaluate to bool'],
  [rule('params.x == 1'), "undeclared reference to 'params' (in container '')"],
  [rule('variables.x == 1'), "undefined field 'x'"],
  [
    rule('true', { messageExpression: '1' }),
    'spec.validations[0].messageExpression: Invalid value: "1": must evaluate to string',
  ],
  [
    { ...rule('true'), variables: [{ name: 'x', expression: 'request.none' }] },
    `spec.variables[0].expression: Invalid value: "request.none": compilation failed: ERROR: <input>:1:9: undefined field 'none'`,
  ],
  [
    { ...rule('true'), auditAnnotations: [{ key: 'a', valueExpression: '1' }] },
    'spec.auditAnnotations[0].valueExpression: Invalid value: "1": must evaluate to one of [string null]',
  ],
  [
    { ...rule('true'), matchConditions: [{ name: 'x', expression: 'nonsense' }] },
    "undeclared reference to 'nonsense' (in container '')",
  ],
])('what does not compile is not stored: %#', async (spec, message) => {
  await expect(policy(spec)).rejects.toThrow(message)
})

test('types are checked against the kinds that the rules name', async () => {
  const cel = await loadCel()
  const check = (spec: object) =>
    checkTypes(cel, { metadata: { name: 'p' }, spec } as ValidatingAdmissionPolicy, fixture.resources)
  const deployments = { apiGroups: ['apps'], apiVersions: ['v1'], resources: ['deployments'], operations: ['*'] }
  const about = (...resourceRules: object[]) => ({ matchConstraints: { resourceRules } })
  expect(check({ ...about(deployments), ...rule('object.spec.replicas > 1', { messageExpression: '"x"' }) })).toEqual(
    [],
  )
  expect(
    check({ ...about(deployments, pods), ...rule('object.spec.replicas > 1', { messageExpression: 'object.x' }) }),
  ).toEqual([
    {
      fieldRef: 'spec.validations[0].expression',
      warning:
        "v1, Kind=Pod: ERROR: <input>:1:13: undefined field 'replicas'\n | object.spec.replicas > 1\n | ............^\n",
    },
    {
      fieldRef: 'spec.validations[0].messageExpression',
      warning:
        "v1, Kind=Pod: ERROR: <input>:1:8: undefined field 'x'\n | object.x\n | .......^\n\napps/v1, Kind=Deployment: ERROR: <input>:1:8: undefined field 'x'\n | object.x\n | .......^\n",
    },
  ])
  expect(check({ ...about({ ...pods, apiGroups: ['*'] }), ...rule('object.none == 1') })).toEqual([])
})
