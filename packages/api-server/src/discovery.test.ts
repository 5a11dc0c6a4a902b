import { loadSchema } from '@dinghy/shared/schema/schema'
import { describe, expect, test } from 'vitest'
import { aggregatedDiscovery, apiGroup, apiGroupList, apiResourceList, compareVersions } from './discovery.ts'
import { builtinDefinitions } from './registry/definitions.ts'

const definitions = builtinDefinitions(loadSchema())
const served = { definitions, extensions: [] }

describe('aggregated discovery', () => {
  test('/api has the core group, /apis all others', () => {
    const core = aggregatedDiscovery(served, 'api', 'v2')
    expect(core).toMatchObject({ apiVersion: 'apidiscovery.k8s.io/v2', items: [{ versions: [{ version: 'v1' }] }] })
    const names = aggregatedDiscovery(served, 'apis', 'v2beta1').items.map(
      (item) => (item as { metadata: { name: string } }).metadata.name,
    )
    expect(names).toContain('apps')
    expect(names).not.toContain(undefined)
  })

  test('a resource with its subresources', () => {
    const { items } = aggregatedDiscovery(served, 'apis', 'v2')
    const apps = items.find((item) => (item as { metadata: { name: string } }).metadata.name === 'apps')
    expect(apps).toMatchObject({
      versions: [
        {
          freshness: 'Current',
          resources: expect.arrayContaining([
            {
              resource: 'deployments',
              responseKind: { group: 'apps', version: 'v1', kind: 'Deployment' },
              scope: 'Namespaced',
              singularResource: 'deployment',
              verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
              shortNames: ['deploy'],
              categories: ['all'],
              subresources: [
                {
                  subresource: 'scale',
                  responseKind: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
                  verbs: ['get', 'patch', 'update'],
                },
                {
                  subresource: 'status',
                  responseKind: { group: 'apps', version: 'v1', kind: 'Deployment' },
                  verbs: ['get', 'patch', 'update'],
                },
              ],
            },
          ]),
        },
      ],
    })
  })
})

describe('legacy discovery', () => {
  test('a resource that is kept tells in which version, by the hash that a real cluster shows', () => {
    const { resources } = apiResourceList(definitions, '', 'v1') as { resources: Record<string, unknown>[] }
    const hashOf = (name: string) => resources.find((resource) => resource['name'] === name)?.['storageVersionHash']
    expect(hashOf('pods')).toBe('xPOwRZ+Yhw8=')
    expect(hashOf('bindings')).toBeUndefined()
  })

  test('pods/eviction names the group that drain looks for', () => {
    expect(apiResourceList(definitions, '', 'v1')).toMatchObject({
      resources: expect.arrayContaining([
        {
          name: 'pods/eviction',
          singularName: '',
          namespaced: true,
          group: 'policy',
          version: 'v1',
          kind: 'Eviction',
          verbs: ['create'],
        },
      ]),
    })
  })

  test('a group prefers its best version', () => {
    expect(apiGroup(served, 'autoscaling')).toEqual({
      kind: 'APIGroup',
      apiVersion: 'v1',
      name: 'autoscaling',
      versions: [
        { groupVersion: 'autoscaling/v2', version: 'v2' },
        { groupVersion: 'autoscaling/v1', version: 'v1' },
      ],
      preferredVersion: { groupVersion: 'autoscaling/v2', version: 'v2' },
    })
    expect(apiGroupList(served)).toMatchObject({
      groups: expect.arrayContaining([expect.objectContaining({ name: 'apps' })]),
    })
  })

  test('what is not served is undefined', () => {
    expect(apiGroup(served, 'nope')).toBeUndefined()
    expect(apiResourceList(definitions, 'apps', 'v2')).toBeUndefined()
  })
})

test('versions sort by stability, then number, then name', () => {
  const versions = ['v1alpha1', 'foo', 'v1', 'v10', 'v1beta2', 'v2beta1', 'v2', 'bar', 'v1beta1']
  expect(versions.sort(compareVersions)).toEqual('v10 v2 v1 v2beta1 v1beta2 v1beta1 v1alpha1 bar foo'.split(' '))
})
