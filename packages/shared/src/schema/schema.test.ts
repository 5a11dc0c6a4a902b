import { describe, expect, test } from 'vitest'
import { loadSchema } from './schema.ts'
import type { TypeRef } from './type-shape.ts'

const schema = loadSchema()

describe('types', () => {
  test('a field carries its type, merge rules and protobuf number', () => {
    expect(schema.field('core.v1.PodSpec', 'containers')).toMatchObject({
      type: { kind: 'list', of: { kind: 'object', type: 'core.v1.Container' } },
      required: true,
      listType: 'map',
      listMapKeys: ['name'],
      patchMerge: true,
      patchMergeKey: 'name',
      protobufPath: [2],
    })
  })

  test('a list may be merged by one key and applied by two', () => {
    const ports = schema.field('core.v1.Container', 'ports')
    expect(ports).toMatchObject({ listMapKeys: ['containerPort', 'protocol'], patchMergeKey: 'containerPort' })
  })

  test('a pointer keeps its zero, a plain field does not', () => {
    expect(schema.field('apps.v1.DeploymentSpec', 'replicas')?.keepsZero).toBe(true)
    expect(schema.field('core.v1.PodSpec', 'hostNetwork')?.keepsZero).toBe(false)
  })

  test('inlined messages are reached through a path', () => {
    expect(schema.field('core.v1.Volume', 'emptyDir')?.protobufPath).toEqual([2, 2])
    expect(schema.field('admissionregistration.v1.NamedRuleWithOperations', 'apiGroups')?.protobufPath).toEqual([
      2, 2, 1,
    ])
  })

  test('kinds know their group, version and kind and have apiVersion and kind', () => {
    const shape = schema.type('apps.v1.Deployment')
    expect(shape?.gvk).toEqual({ group: 'apps', version: 'v1', kind: 'Deployment' })
    expect([...(shape?.fields.keys() ?? [])]).toEqual(['apiVersion', 'kind', 'metadata', 'spec', 'status'])
  })

  test('a type is found by its kind', () => {
    expect(schema.typeOfKind('apps/v1', 'Deployment')?.name).toBe('apps.v1.Deployment')
    expect(schema.typeOfKind('v1', 'Deployment')).toBeUndefined()
  })

  test('names of Object.prototype are no types', () => {
    expect(schema.type('constructor')).toBeUndefined()
  })

  test('every type that is mentioned exists', () => {
    const missing = schema
      .typeNames()
      .flatMap((name) =>
        [...(schema.type(name)?.fields.values() ?? [])]
          .map((field) => mentioned(field.type))
          .filter((type) => type !== undefined && !schema.type(type)),
      )
    expect(missing).toEqual([])
  })
})

describe('resources', () => {
  const byName = new Map(schema.resources().map((r) => [`${r.group}/${r.plural}`, r]))

  test('names, verbs and subresources', () => {
    expect(byName.get('apps/deployments')).toMatchObject({
      version: 'v1',
      singular: 'deployment',
      namespaced: true,
      shortNames: ['deploy'],
      categories: ['all'],
      type: 'apps.v1.Deployment',
      subresources: [
        { name: 'scale', group: 'autoscaling', version: 'v1', kind: 'Scale', verbs: ['get', 'patch', 'update'] },
        { name: 'status', group: 'apps', version: 'v1', kind: 'Deployment', verbs: ['get', 'patch', 'update'] },
      ],
    })
  })

  test('namespaces cannot be deleted as a collection', () => {
    expect(byName.get('/namespaces')?.verbs).toEqual(['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'])
  })

  test('every resource has a type whose kind is its own', () => {
    for (const r of schema.resources()) {
      expect(schema.type(r.type)?.gvk).toEqual({ group: r.group, version: r.version, kind: r.kind })
    }
  })
})

function mentioned(type: TypeRef): string | undefined {
  if (type.kind === 'list' || type.kind === 'map') return mentioned(type.of)
  return type.kind === 'object' ? type.type : undefined
}
