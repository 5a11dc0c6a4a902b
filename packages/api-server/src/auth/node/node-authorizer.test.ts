import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Json, serverFixture } from '../../testing/server-fixture.ts'

/** A node's kubelet against the whole server, in the modes that a cluster runs in. */

let fixture: Awaited<ReturnType<typeof serverFixture>>
let web: Json

const kubelet = { 'impersonate-user': 'system:node:n1', 'impersonate-group': 'system:nodes' }
const core = '/api/v1/namespaces/default'
const rbac = '/apis/rbac.authorization.k8s.io/v1'

beforeAll(async () => {
  fixture = await serverFixture({ authorizationModes: ['Node', 'RBAC'] })
  for (const name of ['n1', 'n2']) await made('/api/v1/nodes', { metadata: { name } })
  await made(`${core}/serviceaccounts`, { metadata: { name: 'default' } })
  for (const name of ['mine', 'pull', 'env', 'other']) await made(`${core}/secrets`, { metadata: { name } })
  for (const name of ['config', 'unused']) await made(`${core}/configmaps`, { metadata: { name } })
  const claim = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, volumeName: 'volume' }
  await made(`${core}/persistentvolumeclaims`, { metadata: { name: 'data' }, spec: claim })
  for (const [name, claimName] of Object.entries({ volume: 'data', foreign: 'none' })) {
    const spec = {
      accessModes: ['ReadWriteOnce'],
      capacity: { storage: '1Gi' },
      hostPath: { path: '/x' },
      claimRef: { namespace: 'default', name: claimName },
    }
    await made('/api/v1/persistentvolumes', { metadata: { name }, spec })
  }
  web = await made(`${core}/pods`, {
    metadata: { name: 'web' },
    spec: {
      nodeName: 'n1',
      serviceAccountName: 'default',
      imagePullSecrets: [{ name: 'pull' }],
      containers: [
        {
          name: 'c',
          image: 'busybox',
          env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'env', key: 'a' } } }],
          envFrom: [{ configMapRef: { name: 'config' } }],
        },
      ],
      volumes: [
        { name: 's', secret: { secretName: 'mine' } },
        { name: 'd', persistentVolumeClaim: { claimName: 'data' } },
      ],
    },
  })
  const containers = [{ name: 'c', image: 'busybox', envFrom: [{ secretRef: { name: 'other' } }] }]
  await made(`${core}/pods`, { metadata: { name: 'elsewhere' }, spec: { nodeName: 'n2', containers } })
})
afterAll(() => fixture.close())

async function made(path: string, object: object): Promise<Json> {
  const answer = await fixture.ask('POST', path, object)
  expect(answer.code, answer.text).toBe(201)
  return answer.json
}

async function asKubelet(method: string, path: string, body?: object) {
  return await fixture.ask(method, path, body, kubelet)
}

describe('reads what its pods need', () => {
  test.each([
    [`${core}/secrets/mine`, 200],
    [`${core}/secrets/pull`, 200],
    [`${core}/secrets/env`, 200],
    [`${core}/secrets/other`, 403],
    [`${core}/secrets`, 403],
    [`${core}/secrets?fieldSelector=metadata.name%3Dmine`, 200],
    [`${core}/secrets?fieldSelector=metadata.name%3Dother`, 403],
    [`${core}/configmaps/config`, 200],
    [`${core}/configmaps/unused`, 403],
    [`${core}/persistentvolumeclaims/data`, 200],
    [`${core}/persistentvolumeclaims`, 403],
    ['/api/v1/persistentvolumes/volume', 200],
    ['/api/v1/persistentvolumes/foreign', 403],
    ['/api/v1/pods?fieldSelector=spec.nodeName%3Dn1', 200],
    ['/api/v1/pods?fieldSelector=spec.nodeName%3Dn2', 403],
    ['/api/v1/pods', 403],
    [`${core}/pods/web`, 200],
    [`${core}/pods/elsewhere`, 403],
    ['/api/v1/nodes/n1', 200],
    ['/api/v1/nodes/n2', 403],
    ['/api/v1/nodes', 403],
    ['/api/v1/nodes?fieldSelector=metadata.name%3Dn1', 200],
    ['/api/v1/services', 200],
    ['/apis/node.k8s.io/v1/runtimeclasses', 200],
    ['/apis/apps/v1/deployments', 403],
    [`${rbac}/clusterroles`, 403],
  ])('%s: %i', async (path, code) => {
    expect((await asKubelet('GET', path)).code).toBe(code)
  })

  test('and is told why not', async () => {
    expect((await asKubelet('GET', `${core}/secrets/other`)).json['message']).toBe(
      `secrets "other" is forbidden: User "system:node:n1" cannot get resource "secrets" in API group "" in the namespace "default": no relationship found between node 'n1' and this object`,
    )
    expect((await asKubelet('GET', '/api/v1/nodes')).json['message']).toContain(
      `at the cluster scope: node 'n1' cannot read all nodes, only its own Node object`,
    )
  })

  test('a pod that moves in brings its secrets along', async () => {
    const containers = [{ name: 'c', image: 'busybox', envFrom: [{ secretRef: { name: 'late' } }] }]
    await made(`${core}/secrets`, { metadata: { name: 'late' } })
    await made(`${core}/pods`, { metadata: { name: 'late' }, spec: { containers } })
    expect((await asKubelet('GET', `${core}/secrets/late`)).code).toBe(403)
    const target = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name: 'late' },
      target: { kind: 'Node', name: 'n1' },
    }
    await made(`${core}/pods/late/binding`, target)
    expect((await asKubelet('GET', `${core}/secrets/late`)).code).toBe(200)
    await fixture.ask('DELETE', `${core}/pods/late?gracePeriodSeconds=0`)
    expect((await asKubelet('GET', `${core}/secrets/late`)).code).toBe(403)
  })
})

describe('writes what is its own', () => {
  const status = { conditions: [{ type: 'Ready', status: 'True' }] }

  test.each([
    ['PATCH', '/api/v1/nodes/n1/status', { status }, 200, ''],
    ['PATCH', '/api/v1/nodes/n2/status', { status }, 403, 'node "n1" is not allowed to modify node "n2"'],
    ['PATCH', '/api/v1/nodes/n1', { metadata: { labels: { 'kubernetes.io/os': 'linux', own: 'x' } } }, 200, ''],
    [
      'PATCH',
      '/api/v1/nodes/n1',
      { metadata: { labels: { 'node-restriction.kubernetes.io/x': 'y' } } },
      403,
      'is not allowed to modify labels: node-restriction.kubernetes.io/x',
    ],
    [
      'PATCH',
      '/api/v1/nodes/n1',
      { metadata: { labels: { 'node-role.kubernetes.io/control-plane': '' } } },
      403,
      'is not allowed to modify labels: node-role.kubernetes.io/control-plane',
    ],
    [
      'PATCH',
      '/api/v1/nodes/n1',
      { spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } },
      403,
      'node "n1" is not allowed to modify taints',
    ],
    ['PATCH', `${core}/pods/web/status`, { status: { phase: 'Running' } }, 200, ''],
    [
      'PATCH',
      `${core}/pods/elsewhere/status`,
      { status: { phase: 'Failed' } },
      403,
      'node "n1" can only update pod status for pods with spec.nodeName set to itself',
    ],
    [
      'PATCH',
      `${core}/pods/web/status`,
      { metadata: { labels: { app: 'x' } } },
      403,
      'node "n1" cannot update labels through pod status',
    ],
    ['PATCH', `${core}/pods/web`, { metadata: { labels: { app: 'x' } } }, 403, 'cannot patch resource "pods"'],
    ['DELETE', `${core}/pods/elsewhere`, undefined, 403, 'node "n1" can only delete pods with spec.nodeName'],
  ])('%s %s %j: %i %s', async (method, path, body, code, message) => {
    const headers = { ...kubelet, 'content-type': 'application/merge-patch+json' }
    const answer = await fixture.ask(method, path, body, headers)
    expect(answer.code, answer.text).toBe(code)
    if (message) expect(answer.json['message']).toContain(message)
  })

  test('its Lease, in the namespace of such', async () => {
    const leases = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases'
    const lease = (name: string) => ({ metadata: { name }, spec: { holderIdentity: name } })
    expect((await asKubelet('POST', leases, lease('n1'))).code).toBe(201)
    expect((await asKubelet('POST', leases, lease('n2'))).json['message']).toContain(
      'can only access node lease with the same name as the requesting node',
    )
    expect((await asKubelet('GET', `${leases}/n1`)).code).toBe(200)
    expect((await asKubelet('GET', `${leases}/n2`)).code).toBe(403)
    const elsewhere = leases.replace('kube-node-lease', 'kube-system')
    expect((await asKubelet('POST', elsewhere, lease('n1'))).json['message']).toContain(
      'can only access leases in the "kube-node-lease" system namespace',
    )
  })

  test('no pods but mirrors', async () => {
    const pod = { metadata: { name: 'own' }, spec: { nodeName: 'n1', containers: [{ name: 'c', image: 'busybox' }] } }
    expect((await asKubelet('POST', `${core}/pods`, pod)).json['message']).toContain(
      'pod does not have "kubernetes.io/config.mirror" annotation, node "n1" can only create mirror pods',
    )
  })

  test('events, in any namespace', async () => {
    const involvedObject = { kind: 'Pod', namespace: 'default', name: 'web' }
    const event = { metadata: { name: 'e' }, involvedObject, reason: 'R', source: {}, type: 'Normal' }
    expect((await asKubelet('POST', `${core}/events`, event)).code).toBe(201)
  })
})

describe('asks for tokens of its pods', () => {
  const ask = (boundObjectRef?: object) => {
    const spec = { expirationSeconds: 600, ...(boundObjectRef ? { boundObjectRef } : {}) }
    const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec }
    return asKubelet('POST', `${core}/serviceaccounts/default/token`, request)
  }

  test('bound to such a pod', async () => {
    const { uid } = web['metadata'] as { uid?: string }
    expect((await ask({ apiVersion: 'v1', kind: 'Pod', name: 'web', uid })).code).toBe(201)
  })

  test.each([
    [undefined, 'node requested token not bound to a pod'],
    [{ apiVersion: 'v1', kind: 'Pod', name: 'web' }, 'node requested token with a pod binding without a uid'],
    [{ apiVersion: 'v1', kind: 'Secret', name: 'mine', uid: 'x' }, 'node requested token not bound to a pod'],
    [{ apiVersion: 'v1', kind: 'Pod', name: 'web', uid: 'x' }, 'does not match the UID in record'],
  ])('and to nothing else: %j', async (reference, message) => {
    const answer = await ask(reference)
    expect(answer.code).toBe(403)
    expect(answer.json['message']).toContain(message)
  })
})

test('whoever is called like a node and is not in their group is none', async () => {
  const { json } = await fixture.ask('GET', '/api/v1/nodes/n1', undefined, { 'impersonate-user': 'system:node:n1' })
  expect(json['message']).not.toContain('only its own')
  expect(json['code']).toBe(403)
})
