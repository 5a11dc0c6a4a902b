import { expect, test } from 'vitest'
import { container, pod } from '../testing/objects.ts'
import { referencesOf } from './references.ts'

test('everything in a pod that names a ConfigMap or a Secret, init and debugging containers included', () => {
  const spec = {
    volumes: [
      { name: 'a', configMap: { name: 'map-volume' } },
      { name: 'b', secret: { secretName: 'secret-volume' } },
      {
        name: 'c',
        projected: { sources: [{ configMap: { name: 'map-projected' } }, { secret: { name: 'secret-projected' } }] },
      },
      { name: 'd', emptyDir: {} },
    ],
    initContainers: [
      container({
        name: 'init',
        env: [
          { name: 'A', valueFrom: { configMapKeyRef: { name: 'map-key', key: 'k' } } },
          { name: 'B', valueFrom: { secretKeyRef: { name: 'secret-key', key: 'k' } } },
          { name: 'C', value: 'plain' },
        ],
      }),
    ],
    containers: [
      container({ envFrom: [{ configMapRef: { name: 'map-from' } }, { secretRef: { name: 'secret-from' } }] }),
    ],
    ephemeralContainers: [
      { name: 'debug', env: [{ name: 'D', valueFrom: { configMapKeyRef: { name: 'map-debug', key: 'k' } } }] },
    ],
  }
  const { configMaps, secrets } = referencesOf(pod(spec))
  expect([...configMaps]).toEqual(['map-volume', 'map-projected', 'map-key', 'map-from', 'map-debug'])
  expect([...secrets]).toEqual(['secret-volume', 'secret-projected', 'secret-key', 'secret-from'])
})
