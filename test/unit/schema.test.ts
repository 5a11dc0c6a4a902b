/**
 * scripts/schema.mjs, run on a release in miniature (schema-fixture/), and what must follow from the data file that it
 * makes.
 */

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import * as typedResources from '@dinghy/shared/api/resources'
import { loadSchema } from '@dinghy/shared/schema/schema'

const script = join(import.meta.dirname, '../../scripts/schema.mjs')

function make(...args: string[]) {
  return spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' })
}

test('a release becomes one line a type and one a resource', () => {
  const { stdout, stderr } = make(join(import.meta.dirname, 'schema-fixture'))
  expect(stderr).toBe('')
  expect(stdout.split('\n').slice(0, 3)).toEqual(['{', '"types": {', expect.stringMatching(/^"apps\.v1\.Boat": \{/)])
  expect(JSON.parse(stdout)).toEqual({
    types: {
      'apps.v1.Boat': {
        gvk: 'apps/v1 Boat',
        fields: { metadata: '1 meta.v1.ObjectMeta', spec: '2 apps.v1.BoatSpec', status: '3 apps.v1.BoatStatus' },
      },
      'apps.v1.BoatSpec': {
        fields: {
          at: '10p intOrString',
          crew: '4p int32',
          draught: '- double',
          engine: '5 string!',
          limits: '8 {quantity}',
          ports: '7.2 [string] set',
          raw: '11 object',
          sails: '7.1 [core.v1.Sail] map=name,side merge=name retainKeys',
          seal: '12 bytes',
          selector: '9 {string} atomic',
          since: '13 time',
        },
      },
      'apps.v1.BoatStatus': { fields: { afloat: '1 bool!', log: '2 [string] atomic always' } },
      'core.v1.Sail': {
        atomic: 1,
        union: { by: 'side', fields: { cloth: 'Cloth' } },
        fields: { cloth: '3p string', name: '1.1 string!', side: '2 string' },
      },
      'meta.v1.ObjectMeta': { fields: { name: '1 string' } },
    },
    resources: [
      { apiVersion: 'apps/v1', plural: 'boatreviews', kind: 'Boat', type: 'apps.v1.Boat', verbs: ['create'] },
      {
        apiVersion: 'apps/v1',
        plural: 'boats',
        kind: 'Boat',
        type: 'apps.v1.Boat',
        namespaced: true,
        shortNames: ['bo'],
        categories: ['all'],
        subresources: {
          log: 'get apps/v1 BoatLogOptions',
          scale: 'get,patch,update autoscaling/v1 Scale',
          status: 'get,patch,update',
        },
      },
    ],
  })
})

test('without a release it says how to be called, and a folder that is none is refused', () => {
  expect(make()).toMatchObject({ status: 2, stderr: expect.stringContaining('usage:') })
  expect(make(import.meta.dirname).status).not.toBe(0)
})

test.each(Object.entries(typedResources).filter(([, value]) => typeof value === 'object'))(
  'the typed resource %s is what the data file says',
  (_, resource) => {
    expect(loadSchema().resources()).toContainEqual(expect.objectContaining(resource))
  },
)
