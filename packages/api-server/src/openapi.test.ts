import { loadSchema } from '@dinghy/shared/schema/schema'
import { describe, expect, test } from 'vitest'
import { OpenApiDocuments } from './openapi.ts'
import { builtinDefinitions } from './registry/definitions.ts'

const definitions = builtinDefinitions(loadSchema())
const documents = new OpenApiDocuments(definitions, 'v1.33.0')

interface Document {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, { properties?: Record<string, object>; required?: string[] }> }
}
interface Operation {
  parameters: { name: string; in: string }[]
  requestBody?: { content: Record<string, object> }
}

function read(path: string): Document {
  return JSON.parse(documents.document(path)?.bytes.toString() ?? '') as Document
}

describe('the index', () => {
  test('names every group version with the hash of its content', () => {
    const { paths } = documents.index() as { paths: Record<string, { serverRelativeURL: string }> }
    expect(paths['api/v1']?.serverRelativeURL).toMatch(/^\/openapi\/v3\/api\/v1\?hash=[0-9A-F]{64}$/)
    expect(Object.keys(paths)).toContain('apis/apps/v1')
  })

  test('the hash changes with the content, and only with it', () => {
    const hash = (documents: OpenApiDocuments) => documents.document('apis/apps/v1')?.hash
    const without = definitions.filter((definition) => definition.plural !== 'deployments')
    expect(hash(new OpenApiDocuments(definitions, 'v1.33.0'))).toBe(hash(documents))
    expect(hash(new OpenApiDocuments(without, 'v1.33.0'))).not.toBe(hash(documents))
  })

  test('what is not served has no document', () => {
    expect(documents.document('apis/apps/v9')).toBeUndefined()
  })
})

describe('schemas', () => {
  const { schemas } = read('apis/apps/v1').components

  test('carry the kind, what is required and how lists merge', () => {
    expect(schemas['io.k8s.api.apps.v1.Deployment']).toMatchObject({
      'x-kubernetes-group-version-kind': [{ group: 'apps', version: 'v1', kind: 'Deployment' }],
    })
    const podSpec = schemas['io.k8s.api.core.v1.PodSpec']
    expect(podSpec?.required).toEqual(['containers'])
    expect(podSpec?.properties?.['containers']).toEqual({
      type: 'array',
      description: 'The containers; at least one.',
      items: { $ref: '#/components/schemas/io.k8s.api.core.v1.Container' },
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
      'x-kubernetes-patch-merge-key': 'name',
      'x-kubernetes-patch-strategy': 'merge',
    })
    expect(podSpec?.properties?.['volumes']).toMatchObject({ 'x-kubernetes-patch-strategy': 'retainKeys,merge' })
    expect(podSpec?.properties?.['nodeSelector']).toMatchObject({ 'x-kubernetes-map-type': 'atomic' })
  })

  test('every reference leads somewhere', () => {
    for (const path of Object.keys((documents.index() as { paths: object }).paths)) {
      const text = documents.document(path)?.bytes.toString() ?? ''
      const known = new Set(Object.keys(read(path).components.schemas))
      const dangling = [...text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)].filter(
        ([, name]) => !known.has(name ?? ''),
      )
      expect(dangling.map(([, name]) => name)).toEqual([])
    }
  })
})

describe('paths', () => {
  const { paths } = read('apis/apps/v1')

  test.each(['post', 'put', 'patch'])('%s says that the server validates', (method) => {
    const item = '/apis/apps/v1/namespaces/{namespace}/deployments'
    const operation = paths[method === 'post' ? item : `${item}/{name}`]?.[method]
    const names = operation?.parameters.map((parameter) => parameter.name)
    expect(names).toEqual(expect.arrayContaining(['dryRun', 'fieldManager', 'fieldValidation']))
    expect(operation).toMatchObject({
      'x-kubernetes-group-version-kind': { group: 'apps', version: 'v1', kind: 'Deployment' },
      'x-kubernetes-action': method,
    })
  })

  test('a patch names the patch languages', () => {
    const { patch } = paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}'] ?? {}
    expect(Object.keys(patch?.requestBody?.content ?? {})).toContain('application/strategic-merge-patch+json')
  })

  test('objects can be listed in one namespace and in all', () => {
    expect(paths['/apis/apps/v1/deployments']).toHaveProperty('get')
    expect(paths['/apis/apps/v1/deployments']).not.toHaveProperty('post')
    expect(paths['/apis/apps/v1/namespaces/{namespace}/deployments']).toHaveProperty('get')
  })

  test('subresources speak of their own kind', () => {
    expect(paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale']?.['get']).toMatchObject({
      'x-kubernetes-group-version-kind': { group: 'autoscaling', version: 'v1', kind: 'Scale' },
      responses: {
        200: {
          content: { 'application/json': { schema: { $ref: '#/components/schemas/io.k8s.api.autoscaling.v1.Scale' } } },
        },
      },
    })
  })
})

describe('version 2', () => {
  interface Version2 {
    paths: Record<string, Record<string, { consumes: string[]; parameters: object[]; responses: object }>>
    definitions: Record<string, { properties: Record<string, object> }>
  }
  const { paths, definitions: types } = documents.version2() as Version2
  const patch = paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}']?.['patch']

  test('holds all groups, and refers to nothing that it does not hold', () => {
    expect(Object.keys(paths)).toEqual(expect.arrayContaining(['/api/v1/nodes', '/apis/batch/v1/jobs']))
    const references = JSON.stringify({ paths, types }).matchAll(/"\$ref":"([^"]+)"/g)
    const missing = Array.from(references, ([, target = '']) => target).filter(
      (target) => !Object.hasOwn(types, target.replace('#/definitions/', '')),
    )
    expect(missing).toEqual([])
  })

  test('says in its own way what a body, an answer and a parameter are', () => {
    expect(patch?.consumes).toContain('application/apply-patch+yaml')
    expect(patch?.parameters).toContainEqual({ name: 'force', in: 'query', type: 'boolean', uniqueItems: true })
    expect(patch?.parameters).toContainEqual({ name: 'body', in: 'body', required: true, schema: { type: 'object' } })
    expect(patch?.responses).toMatchObject({ 200: { schema: { $ref: '#/definitions/io.k8s.api.apps.v1.Deployment' } } })
  })

  test('has one type where version 3 has a choice', () => {
    expect(types['io.k8s.apimachinery.pkg.util.intstr.IntOrString']).toMatchObject({
      type: 'string',
      format: 'int-or-string',
    })
    expect(types['io.k8s.api.apps.v1.Deployment']?.properties['metadata']).toHaveProperty('$ref')
  })
})
