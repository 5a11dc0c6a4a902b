import { describe, expect, test } from 'vitest'
import { created, definitionOf, problemsOf, problemsOfUpdate, type Loose } from '../../testing/kind-fixture.ts'

const attachment = { spec: { attacher: 'csi.example.com', nodeName: 'n', source: { persistentVolumeName: 'pv' } } }
function inAttachment(more: object) {
  return { spec: { ...attachment.spec, ...more } }
}

const node = { spec: { drivers: [{ name: 'csi.example.com', nodeID: 'id', topologyKeys: ['zone'] }] } }
function inNode(more: object) {
  return { spec: { drivers: [{ ...node.spec.drivers[0], ...more }] } }
}

const capacity = { storageClassName: 'fast', capacity: '10Gi', nodeTopology: { matchLabels: { zone: 'a' } } }

test('CSIDriver: defaults', () => {
  expect(created('csidrivers', { spec: {} })).toMatchObject({
    spec: {
      attachRequired: true,
      podInfoOnMount: false,
      storageCapacity: false,
      fsGroupPolicy: 'ReadWriteOnceWithFSType',
      requiresRepublish: false,
      seLinuxMount: false,
      volumeLifecycleModes: ['Persistent'],
    },
  })
  expect(created('csidrivers', { spec: { nodeAllocatableUpdatePeriodSeconds: 5 } }).spec).not.toHaveProperty(
    'nodeAllocatableUpdatePeriodSeconds',
  )
})

describe('what is refused', () => {
  test.each<[string, object, string[]]>([
    [
      'csidrivers',
      { spec: { fsGroupPolicy: 'Maybe', volumeLifecycleModes: ['Eternal'] } },
      [
        'spec.fsGroupPolicy: Unsupported value: "Maybe": supported values: "File", "None", "ReadWriteOnceWithFSType"',
        'spec.volumeLifecycleModes: Unsupported value: "Eternal": supported values: "Persistent", "Ephemeral"',
      ],
    ],
    [
      'csidrivers',
      { spec: { tokenRequests: [{ audience: '' }, { audience: '' }, { audience: 'a', expirationSeconds: 5 }] } },
      [
        'spec.tokenRequests[1].audience: Duplicate value: ""',
        'spec.tokenRequests[2].expirationSeconds: Invalid value: 5: may not specify a duration less than 10 minutes',
      ],
    ],
    [
      'csinodes',
      inNode({ name: 'x'.repeat(64), nodeID: '', allocatable: { count: -1 } }),
      [
        'spec.drivers[0].name: Too long: may not be more than 63 bytes',
        'spec.drivers[0].nodeID: Required value',
        'spec.drivers[0].allocatable.count: Invalid value: -1: must be greater than or equal to 0',
      ],
    ],
    [
      'csinodes',
      inNode({ nodeID: 'a'.repeat(257), topologyKeys: ['zone', 'zone'] }),
      [
        `spec.drivers[0].nodeID: Invalid value: "${'a'.repeat(257)}": must be 256 characters or less`,
        'spec.drivers[0]: Duplicate value: "zone"',
      ],
    ],
    [
      'csinodes',
      { spec: { drivers: [...node.spec.drivers, ...node.spec.drivers] } },
      ['spec.drivers[1].name: Duplicate value: "csi.example.com"'],
    ],
    [
      'csistoragecapacities',
      { ...capacity, capacity: '-1', nodeTopology: { matchExpressions: [{ key: 'a', operator: 'Near' }] } },
      [
        'nodeTopology.matchExpressions[0].operator: Invalid value: "Near": not a valid selector operator',
        'capacity: Invalid value: "-1": must be greater than or equal to 0',
      ],
    ],
    [
      'volumeattachments',
      inAttachment({ source: {} }),
      ['spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName'],
    ],
    [
      'volumeattachments',
      inAttachment({ source: { persistentVolumeName: 'p', inlineVolumeSpec: {} } }),
      ['spec.source: Forbidden: must specify exactly one of inlineVolumeSpec and persistentVolumeName'],
    ],
    [
      'volumeattachments',
      inAttachment({ source: { inlineVolumeSpec: { storageClassName: 'x', hostPath: { path: '/' } } } }),
      [
        'spec.source.inlineVolumeSpec.csi: Required value: has to be specified in the context of inline volumes',
        'spec.source.inlineVolumeSpec.accessModes: Required value',
        'spec.source.inlineVolumeSpec: Required value: must specify a volume type',
        'spec.source.inlineVolumeSpec.storageClassName: Forbidden: may not be specified in the context of inline volumes',
      ],
    ],
    [
      'runtimeclasses',
      { handler: 'Run C', scheduling: { tolerations: [{ operator: 'Maybe', key: 'a' }] } },
      [
        expect.stringContaining('handler: Invalid value: "Run C": a lowercase RFC 1123 label must consist of'),
        'scheduling.tolerations[0].operator: Unsupported value: "Maybe": supported values: "Equal", "Exists"',
      ],
    ],
    [
      'runtimeclasses',
      { handler: 'runc', overhead: { podFixed: { cups: '1' } } },
      [
        'overhead.limits[cups]: Invalid value: "cups": must be a standard resource type or fully qualified',
        'overhead.limits[cups]: Invalid value: "cups": must be a standard resource for containers',
      ],
    ],
  ])('%s: %#', (resource, sent, messages) => {
    expect(problemsOf(resource, sent)).toEqual(messages)
  })

  test('an attachment to no node by nobody', () => {
    expect(problemsOf('volumeattachments', inAttachment({ attacher: '', nodeName: '' })).join('\n')).toMatch(
      /^spec.attacher: Required value\nspec.nodeName: Invalid value: "": a lowercase RFC 1123 subdomain/,
    )
  })

  test('a status whose error is too long to keep', () => {
    const next = created('volumeattachments', attachment)
    Object.assign(next, { status: { attached: false, attachError: { message: 'x'.repeat(1025) } } })
    expect(definitionOf('volumeattachments').strategy.validateStatusUpdate?.(next, next)).toMatchObject([
      { field: 'status.attachError.message', type: 'FieldValueTooLong' },
    ])
  })
})

describe('what may not change', () => {
  test.each<[string, object, (object: Loose) => void, string[]]>([
    [
      'csidrivers',
      { spec: {} },
      (o) => Object.assign(o.spec, { attachRequired: false, volumeLifecycleModes: ['Ephemeral'] }),
      [
        'spec.attachedRequired: Invalid value: false: field is immutable',
        'spec.volumeLifecycleModes: Invalid value: ["Ephemeral"]: field is immutable',
      ],
    ],
    ['csidrivers', { spec: {} }, (o) => Object.assign(o.spec, { requiresRepublish: true }), []],
    [
      'csinodes',
      node,
      (o) => Object.assign(o.spec, inNode({ nodeID: 'other' }).spec),
      [
        'spec.drivers: Invalid value: {"name":"csi.example.com","nodeID":"other","topologyKeys":["zone"]}: field is immutable',
      ],
    ],
    ['csinodes', node, (o) => Object.assign(o.spec, { drivers: [] }), []],
    [
      'csistoragecapacities',
      capacity,
      (o) => Object.assign(o, { storageClassName: 'slow', capacity: '1Gi' }),
      ['storageClassName: Invalid value: "slow": field is immutable'],
    ],
    [
      'volumeattachments',
      attachment,
      (o) => Object.assign(o.spec, { nodeName: 'm' }),
      [
        'spec: Invalid value: {"attacher":"csi.example.com","nodeName":"m","source":{"persistentVolumeName":"pv"}}: field is immutable',
      ],
    ],
    [
      'runtimeclasses',
      { handler: 'runc' },
      (o) => Object.assign(o, { handler: 'crun' }),
      ['handler: Invalid value: "crun": field is immutable'],
    ],
  ])('%s: %#', (resource, sent, change, messages) => {
    expect(problemsOfUpdate(resource, sent, change)).toEqual(messages)
  })
})
