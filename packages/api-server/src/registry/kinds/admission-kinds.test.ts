import { describe, expect, test } from 'vitest'
import { created, definitionOf, problemsOf, problemsOfUpdate } from '../../testing/kind-fixture.ts'

const rule = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }
const webhook = {
  name: 'pods.policy.example.com',
  rules: [rule],
  clientConfig: { service: { namespace: 'default', name: 'hook' } },
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
}
function hook(more: object) {
  return { webhooks: [{ ...webhook, ...more }] }
}

const policy = {
  spec: { matchConstraints: { resourceRules: [rule] }, validations: [{ expression: 'object.spec.replicas <= 5' }] },
}
function inPolicy(more: object) {
  return { spec: { ...policy.spec, ...more } }
}

const binding = { spec: { policyName: 'p', validationActions: ['Deny'] } }
function inBinding(more: object) {
  return { spec: { ...binding.spec, ...more } }
}

describe('defaults', () => {
  const match = { matchPolicy: 'Equivalent', namespaceSelector: {}, objectSelector: {} }

  test.each<[string, object, object]>([
    [
      'validatingwebhookconfigurations',
      hook({}),
      {
        metadata: {},
        webhooks: [
          {
            ...match,
            failurePolicy: 'Fail',
            timeoutSeconds: 10,
            rules: [{ scope: '*' }],
            clientConfig: { service: { port: 443 } },
          },
        ],
      },
    ],
    ['mutatingwebhookconfigurations', hook({}), { webhooks: [{ ...match, reinvocationPolicy: 'Never' }] }],
    [
      'validatingadmissionpolicies',
      policy,
      { spec: { failurePolicy: 'Fail', matchConstraints: { ...match, resourceRules: [{ scope: '*' }] } } },
    ],
    ['validatingadmissionpolicybindings', inBinding({ matchResources: {} }), { spec: { matchResources: match } }],
  ])('%s', (resource, sent, expected) => {
    expect(created(resource, sent)).toMatchObject(expected)
    expect(problemsOf(resource, sent)).toEqual([])
  })

  test('a validating webhook is never called twice, so it has no reinvocation policy', () => {
    const { webhooks } = created('validatingwebhookconfigurations', hook({})) as unknown as { webhooks: object[] }
    expect(webhooks[0]).not.toHaveProperty('reinvocationPolicy')
  })

  test.each(['validatingwebhookconfigurations', 'mutatingwebhookconfigurations'])(
    '%s count generations',
    (resource) => {
      const { strategy } = definitionOf(resource)
      const [one, other] = [created(resource, hook({})), created(resource, hook({ timeoutSeconds: 3 }))]
      expect(strategy.generationOf?.(one)).not.toEqual(strategy.generationOf?.(other))
    },
  )
})

describe('webhooks that are refused', () => {
  test.each<[object, string[]]>([
    [{ name: '' }, ['webhooks[0].name: Required value']],
    [
      { name: 'policy.example' },
      [
        'webhooks[0].name: Invalid value: "policy.example": should be a domain with at least three segments separated by dots',
      ],
    ],
    [{ sideEffects: undefined }, ['webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun']],
    [
      { sideEffects: 'Some' },
      ['webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"'],
    ],
    [
      { admissionReviewVersions: [] },
      ['webhooks[0].admissionReviewVersions: Required value: must specify one of v1, v1beta1'],
    ],
    [
      { admissionReviewVersions: ['v7', 'v7'] },
      [
        'webhooks[0].admissionReviewVersions[1]: Invalid value: "v7": duplicate version',
        'webhooks[0].admissionReviewVersions: Invalid value: ["v7","v7"]: must include at least one of v1, v1beta1',
      ],
    ],
    [
      { timeoutSeconds: 31 },
      ['webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds'],
    ],
    [
      { failurePolicy: 'Shrug', matchPolicy: 'Roughly' },
      [
        'webhooks[0].failurePolicy: Unsupported value: "Shrug": supported values: "Fail", "Ignore"',
        'webhooks[0].matchPolicy: Unsupported value: "Roughly": supported values: "Equivalent", "Exact"',
      ],
    ],
    [{ clientConfig: {} }, ['webhooks[0].clientConfig: Required value: exactly one of url or service is required']],
    [
      { clientConfig: { url: 'http://me@example.com/x?a=b#c' } },
      [
        `webhooks[0].clientConfig.url: Invalid value: "http": 'https' is the only allowed URL scheme; desired format: https://host[/path]`,
        'webhooks[0].clientConfig.url: Invalid value: "me": user information is not permitted in the URL',
        'webhooks[0].clientConfig.url: Invalid value: "c": fragments are not permitted in the URL',
        'webhooks[0].clientConfig.url: Invalid value: "a=b": query parameters are not permitted in the URL',
      ],
    ],
    [
      { clientConfig: { url: 'https:///x' } },
      ['webhooks[0].clientConfig.url: Invalid value: "": host must be provided; desired format: https://host[/path]'],
    ],
    [
      { clientConfig: { service: { namespace: 'a', name: 'b', port: 70000, path: '/x//y/' } } },
      [
        'webhooks[0].clientConfig.service.port: Invalid value: 70000: port is not valid: must be between 1 and 65535, inclusive',
        'webhooks[0].clientConfig.service.path: Invalid value: "/x//y/": segment[1] may not be empty',
      ],
    ],
    [
      { rules: [{}] },
      [
        'webhooks[0].rules[0].operations: Required value',
        'webhooks[0].rules[0].apiGroups: Required value',
        'webhooks[0].rules[0].apiVersions: Required value',
        'webhooks[0].rules[0].resources: Required value',
      ],
    ],
    [
      { rules: [{ ...rule, operations: ['*', 'create'], scope: 'Galaxy' }] },
      [
        `webhooks[0].rules[0].operations: Invalid value: ["*","create"]: if '*' is present, must not specify other operations`,
        'webhooks[0].rules[0].operations[1]: Unsupported value: "create": supported values: "*", "CONNECT", "CREATE", "DELETE", "UPDATE"',
        'webhooks[0].rules[0].scope: Unsupported value: "Galaxy": supported values: "*", "Cluster", "Namespaced"',
      ],
    ],
    [
      { rules: [{ ...rule, resources: ['pods/*', 'pods/log', '*', 'pods'] }] },
      [
        `webhooks[0].rules[0].resources[1]: Invalid value: "pods/log": if 'pods/*' is present, must not specify pods/log`,
        `webhooks[0].rules[0].resources: Invalid value: ["pods/*","pods/log","*","pods"]: if '*' is present, must not specify other resources without subresources`,
      ],
    ],
    [
      { matchConditions: [{ name: 'a b', expression: ' ' }] },
      [
        'webhooks[0].matchConditions[0].expression: Required value',
        expect.stringContaining('webhooks[0].matchConditions[0].name: Invalid value: "a b": name part must consist'),
      ],
    ],
    [
      { namespaceSelector: { matchExpressions: [{ key: 'a', operator: 'In' }] } },
      [
        "webhooks[0].namespaceSelector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
      ],
    ],
  ])('%j', (more, messages) => {
    expect(problemsOf('validatingwebhookconfigurations', hook(more))).toEqual(messages)
    expect(problemsOf('mutatingwebhookconfigurations', hook(more))).toEqual(messages)
  })

  test('two of one name', () => {
    const twice = { webhooks: [webhook, webhook] }
    expect(problemsOf('mutatingwebhookconfigurations', twice)).toEqual([
      'webhooks[1].name: Duplicate value: "pods.policy.example.com"',
    ])
  })

  test('an unknown reinvocation policy', () => {
    expect(problemsOf('mutatingwebhookconfigurations', hook({ reinvocationPolicy: 'Always' }))).toEqual([
      'webhooks[0].reinvocationPolicy: Unsupported value: "Always": supported values: "IfNeeded", "Never"',
    ])
  })
})

describe('policies that are refused', () => {
  test.each<[object, string[]]>([
    [
      { spec: {} },
      [
        'spec.matchConstraints: Required value',
        'spec.validations: Required value: validations or auditAnnotations must contain at least one item',
        'spec.auditAnnotations: Required value: validations or auditAnnotations must contain at least one item',
      ],
    ],
    [inPolicy({ matchConstraints: {} }), ['spec.matchConstraints.resourceRules: Required value']],
    [
      inPolicy({ matchConstraints: { resourceRules: [{ ...rule, resourceNames: ['a', 'a', 'b/c'] }] } }),
      [
        'spec.matchConstraints.resourceRules[0].resourceNames[1]: Duplicate value: "a"',
        `spec.matchConstraints.resourceRules[0].resourceNames[2]: Invalid value: "b/c": may not contain '/'`,
      ],
    ],
    [
      inPolicy({ paramKind: { apiVersion: 'a/b/c', kind: '1' } }),
      [
        'spec.paramKind.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c',
        expect.stringContaining(
          'spec.paramKind.kind: Invalid value: "1": may have mixed case, but should otherwise match: a DNS-1035 label',
        ),
      ],
    ],
    [
      inPolicy({ variables: [{ name: 'in', expression: '' }] }),
      [
        'spec.variables[0].name: Invalid value: "in": name is not a valid CEL identifier',
        'spec.variables[0].expression: Required value: expression is not specified',
      ],
    ],
    [
      inPolicy({ validations: [{ expression: '', message: 'a\nb', messageExpression: ' ', reason: 'Why' }] }),
      [
        'spec.validations[0].expression: Required value: expression is not specified',
        'spec.validations[0].messageExpression: Invalid value: " ": must be non-empty if specified',
        'spec.validations[0].message: Invalid value: "a\\nb": message must not contain line breaks',
        'spec.validations[0].reason: Unsupported value: "Why": supported values: "Forbidden", "Invalid", "RequestEntityTooLarge"',
      ],
    ],
    [
      inPolicy({
        auditAnnotations: [
          { key: 'k', valueExpression: '"x"' },
          { key: 'k', valueExpression: ' ' },
        ],
      }),
      [
        'spec.auditAnnotations[1].valueExpression: Required value: valueExpression is not specified',
        'spec.auditAnnotations[1].key: Duplicate value: "k"',
      ],
    ],
  ])('%#', (sent, messages) => {
    expect(problemsOf('validatingadmissionpolicies', sent)).toEqual(messages)
  })

  test.each<[object, string[]]>([
    [
      { spec: {} },
      [
        'spec.policyName: Required value',
        'spec.validationActions: Required value: at least one validation action is required',
      ],
    ],
    [
      inBinding({ validationActions: ['Deny', 'Warn', 'Deny', 'Sulk'] }),
      [
        'spec.validationActions[2]: Duplicate value: "Deny"',
        'spec.validationActions[3]: Unsupported value: "Sulk": supported values: "Audit", "Deny", "Warn"',
        'spec.validationActions: Invalid value: ["Deny","Warn","Deny","Sulk"]: must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)',
      ],
    ],
    [
      inBinding({ paramRef: {} }),
      [
        'spec.paramRef: Required value: one of name or selector must be specified',
        'spec.paramRef.parameterNotFoundAction: Required value',
      ],
    ],
    [
      inBinding({ paramRef: { name: 'n', selector: {}, parameterNotFoundAction: 'Deny' } }),
      [
        'spec.paramRef.name: Forbidden: name and selector are mutually exclusive',
        'spec.paramRef.selector: Forbidden: name and selector are mutually exclusive',
      ],
    ],
    [
      inBinding({ matchResources: { resourceRules: [{ ...rule, operations: [] }] } }),
      ['spec.matchResouces.resourceRules[0].operations: Required value'],
    ],
  ])('bindings: %#', (sent, messages) => {
    expect(problemsOf('validatingadmissionpolicybindings', sent)).toEqual(messages)
  })
})

test.each<[string, object]>([
  ['validatingwebhookconfigurations', hook({})],
  ['mutatingwebhookconfigurations', hook({})],
  ['validatingadmissionpolicies', policy],
  ['validatingadmissionpolicybindings', binding],
])('%s may be changed by whoever has seen the present one', (resource, sent) => {
  expect(problemsOfUpdate(resource, sent, (object) => Object.assign(object.metadata, { labels: { a: 'b' } }))).toEqual(
    [],
  )
  expect(definitionOf(resource).strategy.requiresResourceVersion).toBe(true)
})
