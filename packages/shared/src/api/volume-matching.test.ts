import { describe, expect, test } from 'vitest'
import type { ObjectMeta, PersistentVolume, PersistentVolumeClaim } from './types.ts'
import { findVolume, misfit } from './volume-matching.ts'

function meta(name: string): ObjectMeta {
  return { name, uid: name, resourceVersion: '1', creationTimestamp: '' }
}

function makeVolume(
  name: string,
  spec: Partial<PersistentVolume['spec']> = {},
  more: Partial<ObjectMeta> = {},
  phase = 'Available',
): PersistentVolume {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { ...meta(name), ...more },
    spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], ...spec },
    status: { phase },
  }
}

function makeClaim(spec: Partial<PersistentVolumeClaim['spec']> = {}): PersistentVolumeClaim {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { ...meta('data'), namespace: 'default' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '500Mi' } }, ...spec },
    status: { phase: 'Pending' },
  }
}

describe('findVolume', () => {
  const table: [string, Partial<PersistentVolumeClaim['spec']>, PersistentVolume[], string | undefined][] = [
    [
      'the smallest that is large enough',
      {},
      [
        makeVolume('big', { capacity: { storage: '5Gi' } }),
        makeVolume('ok'),
        makeVolume('tiny', { capacity: { storage: '1Mi' } }),
      ],
      'ok',
    ],
    [
      'of equals the one that fewer could use',
      {},
      [makeVolume('shared', { accessModes: ['ReadWriteOnce', 'ReadWriteMany'] }), makeVolume('single')],
      'single',
    ],
    ['none that is too small', { resources: { requests: { storage: '2Gi' } } }, [makeVolume('small')], undefined],
    ['none with other access modes', { accessModes: ['ReadWriteMany'] }, [makeVolume('once')], undefined],
    [
      'none of another class',
      { storageClassName: 'fast' },
      [makeVolume('plain'), makeVolume('slow', { storageClassName: 'slow' })],
      undefined,
    ],
    ['one of its class', { storageClassName: 'fast' }, [makeVolume('fast', { storageClassName: 'fast' })], 'fast'],
    ['none of another mode', { volumeMode: 'Block' }, [makeVolume('files')], undefined],
    [
      'one with the labels asked for',
      { selector: { matchLabels: { a: 'b' } } },
      [makeVolume('x'), makeVolume('y', {}, { labels: { a: 'b' } })],
      'y',
    ],
    ['none that is released', {}, [makeVolume('old', {}, {}, 'Released')], undefined],
    ['none that is going', {}, [makeVolume('going', {}, { deletionTimestamp: '2025-01-01T00:00:00Z' })], undefined],
    [
      'none that is reserved for another',
      {},
      [makeVolume('theirs', { claimRef: { name: 'other', namespace: 'default' } })],
      undefined,
    ],
    [
      'one that is reserved for it, though a smaller one would do',
      {},
      [
        makeVolume('small', { capacity: { storage: '600Mi' } }),
        makeVolume('mine', { claimRef: { name: 'data', namespace: 'default' } }),
      ],
      'mine',
    ],
  ]
  test.each(table)('finds %s', (_name, spec, volumes, expected) => {
    expect(findVolume(makeClaim(spec), volumes)?.metadata.name).toBe(expected)
  })
})

test.each<[string | undefined, PersistentVolume]>([
  [undefined, makeVolume('v')],
  ['requested PV is too small', makeVolume('v', { capacity: { storage: '1Mi' } })],
  ['storageClassName does not match', makeVolume('v', { storageClassName: 'fast' })],
  ['incompatible volumeMode', makeVolume('v', { volumeMode: 'Block' })],
  ['incompatible accessMode', makeVolume('v', { accessModes: ['ReadOnlyMany'] })],
])('misfit: %s', (expected, volume) => expect(misfit(volume, makeClaim())).toBe(expected))
