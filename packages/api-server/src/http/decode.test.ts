import { loadSchema } from '@dinghy/shared/schema/schema'
import { describe, expect, test } from 'vitest'
import { decodeBody, type DecodeTarget, type FieldValidation } from './decode.ts'

const types = loadSchema()
const deployment: DecodeTarget = { group: 'apps', version: 'v1', kind: 'Deployment', type: 'apps.v1.Deployment', types }
const pod: DecodeTarget = { group: '', version: 'v1', kind: 'Pod', type: 'core.v1.Pod', types }
const configMap: DecodeTarget = { group: '', version: 'v1', kind: 'ConfigMap', type: 'core.v1.ConfigMap', types }

function decode(body: unknown, target: DecodeTarget, fieldValidation: FieldValidation = 'Strict', type?: string) {
  const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  return decodeBody(bytes, type, target, { fieldValidation })
}

function failure(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    return (error as Error).message
  }
  throw new Error('expected a failure')
}

function template(container: object) {
  return { spec: { containers: [{ name: 'c', image: 'busybox', ...container }] } }
}

describe('what a body becomes', () => {
  test('apiVersion and kind come from the URL when the body has none', () => {
    expect(decode({ metadata: { name: 'a' } }, pod).object).toEqual({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'a' },
    })
  })

  test('nulls go; zeros stay only where they mean something', () => {
    const spec = { replicas: 0, paused: false, revisionHistoryLimit: null, template: template({ env: [], tty: false }) }
    const { object } = decode({ metadata: { creationTimestamp: null, labels: {} }, spec }, deployment)
    expect(object).toMatchObject({ metadata: {} })
    expect((object as unknown as { spec: object }).spec).toEqual({ replicas: 0, template: template({}) })
  })

  test('quantities and times are canonical', () => {
    const container = { resources: { requests: { cpu: 0.5, memory: '1024Mi' }, limits: { cpu: '2000m' } } }
    const metadata = { creationTimestamp: '2025-01-01T02:00:00.75+02:00' }
    expect(decode({ metadata, ...template(container) }, pod).object).toMatchObject({
      metadata: { creationTimestamp: '2025-01-01T00:00:00Z' },
      spec: { containers: [{ resources: { requests: { cpu: '500m', memory: '1Gi' }, limits: { cpu: '2' } } }] },
    })
  })

  test('a null in a map of strings is an empty string', () => {
    expect(decode({ data: { a: null } }, configMap).object).toMatchObject({ data: { a: '' } })
  })

  test('a key named __proto__ is just a key', () => {
    const { object } = decode('{"data":{"__proto__":"x"}}', configMap)
    expect(Object.keys((object as unknown as { data: object }).data)).toEqual(['__proto__'])
  })

  test('YAML reads as Go reads it', () => {
    const body =
      'apiVersion: v1\nkind: Pod\nspec:\n  hostNetwork: yes\n  containers:\n  - name: c\n    image: "2020-01-01"\n'
    expect(decode(body, pod, 'Strict', 'application/yaml').object).toMatchObject({
      spec: { hostNetwork: true, containers: [{ image: '2020-01-01' }] },
    })
  })
})

const inDeployment = 'Deployment in version "v1" cannot be handled as a Deployment: '

describe.each([
  [
    'unknown fields',
    { spec: { foo: 1, template: template({ imag: 'x' }) } },
    deployment,
    `${inDeployment}strict decoding error: unknown field "spec.foo", unknown field "spec.template.spec.containers[0].imag"`,
  ],
  [
    'a repeated field',
    '{"spec":{"replicas":1,"replicas":2}}',
    deployment,
    `${inDeployment}strict decoding error: duplicate field "spec.replicas"`,
  ],
  [
    'text for a number',
    { spec: { replicas: '3' } },
    deployment,
    `${inDeployment}json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32`,
  ],
  [
    'a number for text, deep inside',
    { spec: { template: template({ env: [{ name: 'A', value: 1 }] }) } },
    deployment,
    `${inDeployment}json: cannot unmarshal number into Go struct field EnvVar.spec.template.spec.containers.env.value of type string`,
  ],
  [
    'an object for a list',
    { spec: { containers: {} } },
    pod,
    'Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container',
  ],
  [
    'a value that is no string in a map',
    { data: { a: true } },
    configMap,
    'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal bool into Go struct field ConfigMap.data of type string',
  ],
  [
    'a number too big for its type',
    { spec: { replicas: 3e9 } },
    deployment,
    `${inDeployment}json: cannot unmarshal number 3000000000 into Go struct field DeploymentSpec.spec.replicas of type int32`,
  ],
  [
    'no quantity',
    template({ resources: { limits: { cpu: 'lots' } } }),
    pod,
    `Pod in version "v1" cannot be handled as a Pod: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'`,
  ],
  [
    'no base64',
    { data: { a: 'a$b' } },
    { ...configMap, kind: 'Secret', type: 'core.v1.Secret' },
    'Secret in version "v1" cannot be handled as a Secret: illegal base64 data at input byte 1',
  ],
  [
    'another kind',
    { apiVersion: 'apps/v1', kind: 'Deployment' },
    pod,
    'Deployment in version "v1" cannot be handled as a Pod: converting (v1.Deployment) to (core.Pod): unknown conversion',
  ],
  [
    'an unknown kind',
    { apiVersion: 'extensions/v1beta1', kind: 'Deployment' },
    deployment,
    'Deployment in version "v1beta1" cannot be handled as a Deployment: no kind "Deployment" is registered for version "extensions/v1beta1" in scheme "pkg/api/legacyscheme/scheme.go:30"',
  ],
  [
    'no JSON at all',
    'hello',
    pod,
    `the object provided is unrecognized (must be of type Pod): couldn't get version/kind; json parse error: invalid character 'h' looking for beginning of value (68656c6c6f)`,
  ],
])('refuses %s', (_, body, target, message) => {
  test('in upstream’s words', () => {
    expect(failure(() => decode(body, target))).toBe(message)
  })
})

describe('fieldValidation', () => {
  const body = '{"spec":{"foo":1,"replicas":1,"replicas":2}}'

  test('Warn keeps the object and says what it dropped', () => {
    const { object, warnings } = decode(body, deployment, 'Warn')
    expect(object).toMatchObject({ spec: { replicas: 2 } })
    expect(object).not.toHaveProperty('spec.foo')
    expect(warnings).toEqual(['duplicate field "spec.replicas"', 'unknown field "spec.foo"'])
  })

  test('Ignore is silent', () => {
    expect(decode(body, deployment, 'Ignore').warnings).toEqual([])
  })

  test('a repeated YAML key is named with its line', () => {
    const yaml = 'apiVersion: v1\nkind: ConfigMap\ndata:\n  a: one\n  a: two\n'
    const warnings = decode(yaml, configMap, 'Warn', 'application/yaml').warnings
    expect(warnings).toEqual(['yaml: unmarshal errors:\n  line 5: key "a" already set in map'])
  })
})

test('a media type nobody speaks is 415', () => {
  expect(failure(() => decode('x', pod, 'Strict', 'text/plain'))).toContain(
    'the body of the request was in an unknown format - accepted media types include: application/json',
  )
})
