import { expect, test } from 'vitest'
import { created, problemsOf, problemsOfUpdate } from '../../testing/kind-fixture.ts'

const config = { apiGroup: 'example.com', kind: 'Config', name: 'c' }

function ingressClass(parameters: object | undefined, controller = 'example.com/ingress') {
  return { spec: { controller, ...(parameters ? { parameters } : {}) } }
}

test('parameters are cluster-wide unless told', () => {
  expect(created('ingressclasses', ingressClass(config))).toMatchObject({ spec: { parameters: { scope: 'Cluster' } } })
})

test.each<[object, string[]]>([
  [ingressClass(config), []],
  [ingressClass({ ...config, scope: 'Namespace', namespace: 'default' }), []],
  [ingressClass(undefined, ''), ['spec.controller: Required value']],
  [
    ingressClass(undefined, 'nginx'),
    ['spec.controller: Invalid value: "nginx": must be a domain-prefixed path (such as "acme.io/foo")'],
  ],
  [
    ingressClass(undefined, 'example.com/a b'),
    [
      `spec.controller: Invalid value: "a b": Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')`,
    ],
  ],
  [
    ingressClass({ scope: 'Galaxy' }),
    [
      'spec.parameters.kind: Required value: kind is required',
      'spec.parameters.name: Required value: name is required',
      'spec.parameters.scope: Unsupported value: "Galaxy": supported values: "Cluster", "Namespace"',
    ],
  ],
  [
    ingressClass({ ...config, namespace: 'default' }),
    ["spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'"],
  ],
  [
    ingressClass({ ...config, scope: 'Namespace' }),
    ["spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'"],
  ],
])('%j', (sent, messages) => {
  expect(problemsOf('ingressclasses', sent)).toEqual(messages)
})

test('its controller stays', () => {
  const change = problemsOfUpdate('ingressclasses', ingressClass(undefined), ({ spec }) =>
    Object.assign(spec, { controller: 'example.com/other' }),
  )
  expect(change).toEqual(['spec.controller: Invalid value: "example.com/other": field is immutable'])
})

test('a resource behind an Ingress is named in the same way', () => {
  expect(problemsOf('ingresses', { spec: { defaultBackend: { resource: { apiGroup: 'a/b' } } } })).toEqual([
    expect.stringContaining('spec.defaultBackend.resource.apiGroup: Invalid value: "a/b": a lowercase RFC 1123'),
    'spec.defaultBackend.resource.kind: Required value: kind is required',
    'spec.defaultBackend.resource.name: Required value: name is required',
  ])
})
