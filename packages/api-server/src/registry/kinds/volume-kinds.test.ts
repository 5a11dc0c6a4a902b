import { describe, expect, test } from 'vitest'
import { created, problemsOf, problemsOfUpdate, warningsOf } from '../../testing/kind-fixture.ts'
import type { Loose } from '../../testing/kind-fixture.ts'

const volume = { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, hostPath: { path: '/x' } }
function volumeWith(more: object) {
  return { spec: { ...volume, ...more } }
}
const claim = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } }
function claimWith(more: object, metadata: object = {}) {
  return { metadata: { name: 'x', ...metadata }, spec: { ...claim, ...more } }
}
function topologies(...terms: object[][]) {
  return { provisioner: 'p', allowedTopologies: terms.map((matchLabelExpressions) => ({ matchLabelExpressions })) }
}
const dnsLabel = `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`

describe('what is refused', () => {
  test.each<[string, object, string[]]>([
    ['persistentvolumes', volumeWith({}), []],
    [
      'persistentvolumes',
      { spec: {} },
      [
        'spec.accessModes: Required value',
        'spec.capacity: Required value',
        'spec.capacity: Unsupported value: {}: supported values: "storage"',
        'spec: Required value: must specify a volume type',
      ],
    ],
    [
      'persistentvolumes',
      volumeWith({ capacity: { cpu: '1', storage: '0' } }),
      [
        'spec.capacity: Unsupported value: {"cpu":"1","storage":"0"}: supported values: "storage"',
        'spec.capacity[storage]: Invalid value: "0": must be greater than zero',
      ],
    ],
    [
      'persistentvolumes',
      volumeWith({
        hostPath: { path: '/' },
        persistentVolumeReclaimPolicy: 'Recycle',
        nfs: { server: 's', path: '/' },
      }),
      [
        'spec.nfs: Forbidden: may not specify more than 1 volume type',
        "spec.persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'",
      ],
    ],
    [
      'persistentvolumes',
      volumeWith({ hostPath: undefined, local: { path: '/a/../b' } }),
      [
        `spec.local.path: Invalid value: "/a/../b": must not contain '..'`,
        'spec.nodeAffinity: Required value: Local volume requires node affinity',
      ],
    ],
    [
      'persistentvolumes',
      volumeWith({ nodeAffinity: {}, storageClassName: 'A', volumeMode: 'Tape' }),
      [
        'spec.nodeAffinity.required: Required value: must specify required node constraints',
        `spec.storageClassName: Invalid value: "A": ${dnsLabel}`,
        'spec.volumeMode: Unsupported value: "Tape": supported values: "Block", "Filesystem"',
      ],
    ],
    [
      'persistentvolumes',
      volumeWith({ hostPath: undefined, csi: { driver: 'd', volumeHandle: '', controllerExpandSecretRef: {} } }),
      [
        'spec.csi.volumeHandle: Required value',
        'spec.csi.controllerExpandSecretRef.name: Required value',
        'spec.csi.controllerExpandSecretRef.namespace: Required value',
      ],
    ],
    ['persistentvolumeclaims', claimWith({}), []],
    [
      'persistentvolumeclaims',
      claimWith({ accessModes: ['ReadWriteOncePod', 'ReadOnlyMany'], volumeMode: 'Tape' }),
      [
        'spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes',
        'spec.volumeMode: Unsupported value: "Tape": supported values: "Block", "Filesystem"',
      ],
    ],
    [
      'persistentvolumeclaims',
      claimWith({ resources: { requests: { storage: '0' } } }),
      ['spec.resources[storage]: Invalid value: "0": must be greater than zero'],
    ],
    [
      'persistentvolumeclaims',
      claimWith({ dataSourceRef: { kind: 'Pod', name: '' } }),
      [
        'spec.dataSource.name: Required value',
        `spec.dataSource: Invalid value: "Pod": must be 'PersistentVolumeClaim' when referencing the default apiGroup`,
        'spec.dataSourceRef.name: Required value',
        `spec.dataSourceRef: Invalid value: "Pod": must be 'PersistentVolumeClaim' when referencing the default apiGroup`,
      ],
    ],
    [
      'persistentvolumeclaims',
      claimWith({
        dataSource: { kind: 'PersistentVolumeClaim', name: 'a' },
        dataSourceRef: { kind: 'PersistentVolumeClaim', name: 'b' },
      }),
      ['spec: Invalid value: "spec.dataSource": must match dataSourceRef'],
    ],
    // A kind that the old field never knew is forgotten.
    ['persistentvolumeclaims', claimWith({ dataSource: { kind: 'Pod', name: 'a' } }), []],
    [
      'storageclasses',
      { provisioner: 'a b', reclaimPolicy: 'Recycle', volumeBindingMode: '', parameters: { '': 'x' } },
      [
        expect.stringContaining('provisioner: Invalid value: "a b": name part must consist of'),
        'parameters: Invalid value: "": field can not be empty.',
        'reclaimPolicy: Unsupported value: "Recycle": supported values: "Delete", "Retain"',
        'volumeBindingMode: Required value',
      ],
    ],
    [
      'storageclasses',
      { provisioner: 'p', parameters: { a: 'x'.repeat(256 * 1024) } },
      ['parameters: Too long: may not be more than 262144 bytes'],
    ],
    [
      'storageclasses',
      topologies(
        [
          { key: 'zone', values: ['a', 'a'] },
          { key: 'zone', values: [] },
        ],
        [{ key: 'b', values: ['c'] }],
        [{ key: 'b', values: ['c'] }],
      ),
      [
        'allowedTopologies[0].matchLabelExpressions[0].values[1]: Duplicate value: "a"',
        'allowedTopologies[0].matchLabelExpressions[1].values: Required value',
        'allowedTopologies[0].matchLabelExpressions[1].key: Duplicate value: "zone"',
        'allowedTopologies[2].matchLabelExpressions: Duplicate value: ""',
      ],
    ],
  ])('%s: %#', (resource, sent, messages) => {
    expect(problemsOf(resource, sent)).toEqual(messages)
  })
})

describe('what may not change', () => {
  const beta = 'volume.beta.kubernetes.io/storage-class'
  const immutable =
    'spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n'
  const bound = { phase: 'Bound', capacity: { storage: '1Gi' } }
  const claimed = { ...claimWith({ storageClassName: 's' }), status: bound }
  function storage(amount: string) {
    return (o: Loose) => Object.assign(o.spec, { resources: { requests: { storage: amount } } })
  }
  test.each<[string, object, object | undefined, (object: Loose) => void, string[]]>([
    ['persistentvolumeclaims', claimed, undefined, storage('2Gi'), [immutable]],
    ['persistentvolumeclaims', claimed, bound, storage('2Gi'), []],
    [
      'persistentvolumeclaims',
      claimed,
      bound,
      storage('1Mi'),
      ['spec.resources.requests.storage: Forbidden: field can not be less than status.capacity'],
    ],
    [
      'persistentvolumeclaims',
      claimed,
      bound,
      (o) => Object.assign(o.spec, { storageClassName: 't', volumeMode: 'Block' }),
      [immutable, 'volumeMode: Invalid value: "Block": field is immutable'],
    ],
    // One that asked for no class may be given one.
    ['persistentvolumeclaims', claimWith({}), undefined, (o) => Object.assign(o.spec, { storageClassName: 't' }), []],
    [
      'persistentvolumeclaims',
      claimWith({}, { annotations: { [beta]: 'a' } }),
      undefined,
      (o) => Object.assign(o.metadata, { annotations: { [beta]: 'b' } }),
      [`metadata.annotations.${beta}: Invalid value: "b": field is immutable`],
    ],
    [
      'persistentvolumes',
      volumeWith({}),
      undefined,
      (o) => Object.assign(o.spec, { hostPath: { path: '/y' } }),
      ['spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation\n'],
    ],
    [
      'persistentvolumes',
      volumeWith({ hostPath: undefined, csi: { driver: 'd', volumeHandle: 'h' } }),
      undefined,
      (o) =>
        Object.assign(o.spec, {
          csi: { driver: 'd', volumeHandle: 'h', controllerExpandSecretRef: { name: 's', namespace: 'n' } },
        }),
      [],
    ],
    [
      'persistentvolumes',
      volumeWith({}),
      undefined,
      (o) => Object.assign(o.spec, { volumeMode: 'Block' }),
      ['volumeMode: Invalid value: "Block": field is immutable'],
    ],
    [
      'persistentvolumes',
      volumeWith({ nodeAffinity: affinity('failure-domain.beta.kubernetes.io/zone') }),
      undefined,
      (o) => Object.assign(o.spec, { nodeAffinity: affinity('topology.kubernetes.io/zone') }),
      [],
    ],
    [
      'persistentvolumes',
      volumeWith({ nodeAffinity: affinity('zone') }),
      undefined,
      (o) => Object.assign(o.spec, { nodeAffinity: affinity('region') }),
      [expect.stringMatching(/^nodeAffinity: .* field is immutable, except for updating from beta label to GA$/)],
    ],
    [
      'storageclasses',
      { provisioner: 'p' },
      undefined,
      (o) => Object.assign(o, { parameters: { a: 'b' }, reclaimPolicy: 'Retain', allowVolumeExpansion: true }),
      [
        'parameters: Forbidden: updates to parameters are forbidden.',
        'reclaimPolicy: Forbidden: updates to reclaimPolicy are forbidden.',
      ],
    ],
  ])('%s: %#', (resource, sent, status, change, messages) => {
    expect(problemsOfUpdate(resource, sent, change, status)).toEqual(messages)
  })

  function affinity(key: string) {
    return { required: { nodeSelectorTerms: [{ matchExpressions: [{ key, operator: 'Exists' }] }] } }
  }
})

test('the two data sources of a claim say the same', () => {
  const source = { kind: 'PersistentVolumeClaim', name: 'a' }
  const both = { dataSource: source, dataSourceRef: source }
  expect(created('persistentvolumeclaims', claimWith({ dataSource: source })).spec).toMatchObject(both)
  expect(created('persistentvolumeclaims', claimWith({ dataSourceRef: source })).spec).toMatchObject(both)
  // Whose gate is closed.
  const elsewhere = created('persistentvolumeclaims', claimWith({ dataSourceRef: { ...source, namespace: 'b' } }))
  expect(elsewhere.spec).not.toHaveProperty('dataSourceRef')
})

describe('warnings', () => {
  const beta = 'volume.beta.kubernetes.io/storage-class'
  const oldClass = `metadata.annotations[${beta}]: deprecated since v1.8; use "storageClassName" attribute instead`
  test.each<[string, object, string[]]>([
    [
      'persistentvolumes',
      {
        metadata: { name: 'x', annotations: { [beta]: 'a' } },
        ...volumeWith({ persistentVolumeReclaimPolicy: 'Recycle' }),
      },
      [
        oldClass,
        'spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.',
      ],
    ],
    [
      'persistentvolumes',
      volumeWith({ hostPath: undefined, glusterfs: { endpoints: 'e', path: 'p' } }),
      ['spec.glusterfs: deprecated in v1.25, non-functional in v1.26+'],
    ],
    ['persistentvolumeclaims', claimWith({}, { annotations: { [beta]: 'a' } }), [oldClass]],
    [
      'persistentvolumeclaims',
      claimWith({ resources: { requests: { storage: '1500m' } } }),
      ['spec.resources.requests[storage]: fractional byte value "1500m" is invalid, must be an integer'],
    ],
    [
      'storageclasses',
      topologies([{ key: 'failure-domain.beta.kubernetes.io/zone', values: ['a'] }]),
      [
        'allowedTopologies[0].matchLabelExpressions[0].key: deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
      ],
    ],
    ['csidrivers', { spec: {} }, []],
    [
      'csistoragecapacities',
      {
        storageClassName: 's',
        nodeTopology: { matchExpressions: [{ key: 'beta.kubernetes.io/os', operator: 'Exists' }] },
      },
      [
        'nodeTopology.matchExpressions[0].key: beta.kubernetes.io/os is deprecated since v1.14; use "kubernetes.io/os" instead',
      ],
    ],
  ])('%s: %#', (resource, sent, messages) => {
    expect(warningsOf(resource, sent)).toEqual(messages)
  })
})
