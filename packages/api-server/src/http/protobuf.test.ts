import { loadSchema } from '@dinghy/shared/schema/schema'
import { describe, expect, test } from 'vitest'
import { decodeBody } from './decode.ts'
import { ShapeError } from '../shape/conform.ts'
import { decodeEnvelope, decodeMessage } from './protobuf.ts'

const types = loadSchema()

// Bodies as kubectl 1.33 really sent them.
const sent: {
  command: string
  kind: [group: string, version: string, kind: string, type: string]
  hex: string
  object: object
}[] = [
  {
    command: 'kubectl create deployment web --image=nginx --replicas=2 --port=80',
    kind: ['apps', 'v1', 'Deployment', 'apps.v1.Deployment'],
    hex:
      '6b3873000a150a07617070732f7631120a4465706c6f796d656e7412b8010a1f0a0377656212001a0022002a003200380042' +
      '005a0a0a0361707012037765621286010802120c0a0a0a0361707012037765621a6c0a1c0a0012001a0022002a0032003800' +
      '42005a0a0a036170701203776562124c122e0a056e67696e7812056e67696e782a00320a0a001000185022002a0042006a00' +
      '7200800100880100900100a201001a00320042004a0052005800600068008201008a01009a0100c2010022020a0028003800' +
      '1a0c0800100018002000280038001a002200',
    object: {
      metadata: { name: 'web', labels: { app: 'web' } },
      spec: {
        replicas: 2,
        selector: { matchLabels: { app: 'web' } },
        strategy: {}, // a struct, not a pointer: Go writes it even when it is empty
        template: {
          metadata: { labels: { app: 'web' } },
          spec: { containers: [{ name: 'nginx', image: 'nginx', ports: [{ containerPort: 80 }], resources: {} }] },
        },
      },
      status: {},
    },
  },
  {
    command: 'kubectl create secret generic s --from-literal=a=hello',
    kind: ['', 'v1', 'Secret', 'core.v1.Secret'],
    hex:
      '6b3873000a0c0a027631120653656372657412210a110a017312001a0022002a00320038004200120a0a0161120568656c6c' +
      '6f1a001a002200',
    object: { metadata: { name: 's' }, data: { a: 'aGVsbG8=' } },
  },
  {
    command: 'kubectl create service clusterip svc --tcp=80:http',
    kind: ['', 'v1', 'Service', 'core.v1.Service'],
    hex:
      '6b3873000a0d0a027631120753657276696365126c0a1f0a0373766312001a0022002a003200380042005a0a0a0361707012' +
      '0373766312450a1e0a0738302d6874747012035443501850220a080110001a04687474702800120a0a036170701203737663' +
      '1a002209436c757374657249503a00420052005a00600068001a020a001a002200',
    object: {
      metadata: { name: 'svc', labels: { app: 'svc' } },
      spec: {
        type: 'ClusterIP',
        selector: { app: 'svc' },
        ports: [{ name: '80-http', protocol: 'TCP', port: 80, targetPort: 'http' }],
      },
      status: { loadBalancer: {} },
    },
  },
  {
    command: 'kubectl create pdb p --min-available=50% --selector=app=web',
    kind: ['policy', 'v1', 'PodDisruptionBudget', 'policy.v1.PodDisruptionBudget'],
    hex:
      '6b3873000a200a09706f6c6963792f76311213506f6444697372757074696f6e427564676574123a0a110a017012001a0022' +
      '002a0032003800420012190a09080110001a03353025120c0a0a0a0361707012037765621a0a080018002000280030001a00' +
      '2200',
    object: {
      metadata: { name: 'p' },
      spec: { minAvailable: '50%', selector: { matchLabels: { app: 'web' } } },
      // Not omitempty in Go, so the client wrote the zeros; the store drops a new object's status anyway.
      status: { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 },
    },
  },
  {
    command: 'kubectl create quota q --hard=cpu=1500m,pods=3',
    kind: ['', 'v1', 'ResourceQuota', 'core.v1.ResourceQuota'],
    hex:
      '6b3873000a130a027631120d5265736f7572636551756f746112340a110a017112001a0022002a00320038004200121d0a0e' +
      '0a0363707512070a05313530306d0a0b0a04706f647312030a01331a001a002200',
    object: { metadata: { name: 'q' }, spec: { hard: { cpu: '1500m', pods: '3' } }, status: {} },
  },
  {
    command: 'kubectl create token default --duration=10m',
    kind: ['authentication.k8s.io', 'v1', 'TokenRequest', 'authentication.v1.TokenRequest'],
    hex:
      '6b3873000a280a1861757468656e7469636174696f6e2e6b38732e696f2f7631120c546f6b656e52657175657374121d0a10' +
      '0a0012001a0022002a00320038004200120320d8041a040a0012001a002200',
    object: { metadata: {}, spec: { expirationSeconds: 600 }, status: { token: '' } },
  },
]

describe.each(sent)('$command', ({ kind: [group, version, kind, type], hex, object }) => {
  test('decodes to what its JSON would say', () => {
    const body = Buffer.from(hex, 'hex')
    const decoded = decodeBody(
      body,
      'application/vnd.kubernetes.protobuf',
      { group, version, kind, type, types },
      { fieldValidation: 'Strict' },
    )
    expect(decoded.object).toEqual({ apiVersion: group === '' ? version : `${group}/${version}`, kind, ...object })
    expect(decoded.warnings).toEqual([])
  })
})

describe('the wire format', () => {
  test.each([
    [
      'an inlined message: Volume{name=1, volumeSource=2{emptyDir=2{}}}',
      'core.v1.Volume',
      '0a017612021200',
      { name: 'v', emptyDir: {} },
    ],
    [
      'a negative number: Toleration-like int64 pointer',
      'core.v1.PodSpec',
      '20ffffffffffffffffff01',
      { terminationGracePeriodSeconds: -1 },
    ],
    ['packed numbers', 'core.v1.PodSecurityContext', '220301ac02', { supplementalGroups: [1, 300] }],
    ['a map', 'core.v1.ConfigMap', '12060a0161120162', { data: { a: 'b' } }],
    ['a map of lists', 'authentication.v1.UserInfo', '220c0a016112070a01620a026363', { extra: { a: ['b', 'cc'] } }],
    ['a time', 'meta.v1.ObjectMeta', '4206088097e7bb06', { creationTimestamp: '2025-01-05T00:00:00.000000Z' }],
    ['a field of the future', 'core.v1.ConfigMap', 'fa3f0161', {}],
  ])('%s', (_, type, hex, object) => {
    expect(decodeMessage(Buffer.from(hex, 'hex'), type, types)).toEqual(object)
  })

  test.each([
    ['a body without the prefix', () => decodeEnvelope(Buffer.from('{}')), 'expected prefix [107 56 115 0]'],
    [
      'a length beyond the end',
      () => decodeMessage(Buffer.from('0aff01', 'hex'), 'core.v1.Pod', types),
      'unexpected EOF',
    ],
    [
      'a group, which proto3 dropped',
      () => decodeMessage(Buffer.from('0b', 'hex'), 'core.v1.Pod', types),
      'illegal wireType 3',
    ],
    [
      'a number where a message belongs',
      () => decodeMessage(Buffer.from('0801', 'hex'), 'core.v1.Pod', types),
      'wrong wireType',
    ],
  ])('refuses %s', (_, run, message) => {
    expect(run).toThrow(ShapeError)
    expect(run).toThrow(message)
  })
})
