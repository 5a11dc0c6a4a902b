/**
 * Who may do what: a whole cluster, driven by the real kubectl as its administrator and as others, and a certificate
 * that is asked for, approved and used.
 */

import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Cluster, isInstalled, until } from './harness/cluster.ts'

const cluster = new Cluster(1)

beforeAll(() => {
  // So that the API server's log says who was refused.
  const { code, stderr } = cluster.dinghy('up', '--detach', '--nodes', '1', '--log-level', 'debug')
  if (code !== 0) throw new Error(stderr)
})
afterAll(() => cluster.destroy())

/** What kubectl printed; its errors, too. */
function kubectl(line: string, input?: string): string {
  const { stdout, stderr } = cluster.kubectl(line.split(' '), input)
  return (stdout + stderr).trim()
}

describe.skipIf(!isInstalled('kubectl'))('kubectl', () => {
  test('auth whoami', () => {
    expect(kubectl('auth whoami -o jsonpath={.status.userInfo.username}')).toBe('kubernetes-admin')
    const jane = kubectl('auth whoami --as=jane --as-group=devs -o jsonpath={.status.userInfo.groups}')
    expect(jane).toBe('["devs","system:authenticated"]')
  })

  test('auth can-i', () => {
    expect(kubectl('auth can-i delete nodes')).toMatch(/^yes/)
    expect(kubectl('auth can-i delete nodes --as=jane')).toMatch(/^no/)
    expect(kubectl('auth can-i get /version --as=jane')).toBe('yes')
    expect(kubectl('auth can-i get /metrics --as=jane')).toMatch(/no$/)
    expect(kubectl('auth can-i get pods/log --as=system:serviceaccount:default:default')).toMatch(/no$/)
  })

  test('auth can-i --list', () => {
    expect(kubectl('auth can-i --list')).toMatch(/^\*\.\* +\[\] +\[\] +\[\*\]$/m)
    const jane = kubectl('auth can-i --list --as=jane')
    expect(jane).toMatch(/^selfsubjectreviews\.authentication\.k8s\.io +\[\] +\[\] +\[create\]$/m)
    expect(jane).not.toContain('pods')
  })

  test('a role, a binding, and what they open', () => {
    expect(kubectl('create namespace shop')).toContain('created')
    expect(kubectl('create role reader --verb=get,list --resource=pods -n shop')).toContain('created')
    expect(kubectl('create rolebinding jane --role=reader --user=jane -n shop')).toContain('created')
    expect(kubectl('get pods -n shop --as=jane')).toBe('No resources found in shop namespace.')
    expect(kubectl('get pods --as=jane')).toBe(
      'Error from server (Forbidden): pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the namespace "default"',
    )
    expect(kubectl('delete pod web -n shop --as=jane')).toContain('cannot delete resource "pods"')
  })

  test('nobody grants what they do not hold', () => {
    expect(kubectl('create rolebinding ann --clusterrole=admin --user=ann -n shop')).toContain('created')
    expect(kubectl('create role nodes --verb=get --resource=nodes -n shop --as=ann')).toContain(
      'user "ann" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n' +
        '{APIGroups:[""], Resources:["nodes"], Verbs:["get"]}',
    )
    expect(kubectl('create rolebinding bob --clusterrole=edit --user=bob -n shop --as=ann')).toContain('created')
    expect(kubectl('create rolebinding boss --clusterrole=cluster-admin --user=ann -n shop --as=ann')).toContain(
      'is attempting to grant RBAC permissions not currently held',
    )
    expect(kubectl('get pods --as=bob --as-group=system:masters -n shop --as-uid=1')).not.toContain('Forbidden')
    expect(kubectl('create deployment web --image=busybox -n shop --as=bob')).toContain('created')
  })

  test('a role becomes part of view', async () => {
    const name = 'aggregated-boats'
    expect(kubectl(`create clusterrole ${name} --verb=get --resource=deployments.apps/boats`)).toMatch(
      /created|warning/i,
    )
    kubectl(`label clusterrole ${name} rbac.authorization.k8s.io/aggregate-to-view=true`)
    const resources = () => kubectl('get clusterrole admin -o jsonpath={.rules[*].resources}')
    await until('admin has the rule', () => resources().includes('deployments/boats'))
    kubectl(`delete clusterrole ${name}`)
    await until('admin has lost the rule', () => !resources().includes('deployments/boats'))
  })

  test('auth reconcile brings a role into form', () => {
    const role = {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata: { name: 'reader', namespace: 'shop' },
      rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['watch'] }],
    }
    expect(kubectl('auth reconcile -f -', JSON.stringify(role))).toContain('reconciled')
    expect(kubectl('auth can-i watch pods -n shop --as=jane')).toBe('yes')
  })

  test.skipIf(!isInstalled('openssl'))('a certificate that is asked for, approved and used', async () => {
    const file = (name: string) => join(cluster.stateDir, name)
    const subject = ['req', '-new', '-newkey', 'rsa:2048', '-nodes', '-subj', '/O=devs/CN=jane']
    const { status } = spawnSync('openssl', [...subject, '-keyout', file('jane.key'), '-out', file('jane.csr')])
    expect(status).toBe(0)
    const request = {
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'CertificateSigningRequest',
      metadata: { name: 'jane' },
      spec: {
        request: readFileSync(file('jane.csr')).toString('base64'),
        signerName: 'kubernetes.io/kube-apiserver-client',
        usages: ['client auth'],
        expirationSeconds: 3600,
      },
    }
    expect(kubectl('create -f -', JSON.stringify(request))).toContain('created')
    expect(kubectl('get csr jane')).toMatch(/kubernetes-admin +60m +Pending$/m)
    expect(kubectl('certificate approve jane --as=ann')).toContain('Forbidden')
    expect(kubectl('certificate approve jane')).toContain('approved')
    const certificate = () => kubectl('get csr jane -o jsonpath={.status.certificate}')
    await until('there is a certificate', () => certificate() !== '')
    expect(kubectl('get csr jane')).toMatch(/Approved,Issued$/m)
    writeFileSync(file('jane.crt'), Buffer.from(certificate(), 'base64'))
    const credentials = `--client-certificate=${file('jane.crt')} --client-key=${file('jane.key')}`
    expect(kubectl(`config set-credentials jane ${credentials}`)).toContain('User "jane" set')
    const as = '--user=jane'
    expect(kubectl(`auth whoami ${as} -o jsonpath={.status.userInfo.username}`)).toBe('jane')
    expect(kubectl(`get pods -n shop ${as}`)).not.toContain('Forbidden')
    expect(kubectl(`get pods ${as}`)).toContain('User "jane" cannot list')
  })

  test.skipIf(!isInstalled('openssl'))(
    'a machine that joins by a token is given its certificate by itself',
    async () => {
      const secret = {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'bootstrap-token-abcdef', namespace: 'kube-system' },
        type: 'bootstrap.kubernetes.io/token',
        stringData: {
          'token-id': 'abcdef',
          'token-secret': '0123456789abcdef',
          'usage-bootstrap-authentication': 'true',
          'auth-extra-groups': 'system:bootstrappers:kubeadm:default-node-token',
        },
      }
      expect(kubectl('create -f -', JSON.stringify(secret))).toContain('created')
      kubectl('config set-credentials joining --token=abcdef.0123456789abcdef')
      const file = (name: string) => join(cluster.stateDir, name)
      const subject = ['req', '-new', '-newkey', 'rsa:2048', '-nodes', '-subj', '/O=system:nodes/CN=system:node:node-9']
      const { status } = spawnSync('openssl', [...subject, '-keyout', file('node.key'), '-out', file('node.csr')])
      expect(status).toBe(0)
      const request = {
        apiVersion: 'certificates.k8s.io/v1',
        kind: 'CertificateSigningRequest',
        metadata: { name: 'node-9' },
        spec: {
          request: readFileSync(file('node.csr')).toString('base64'),
          signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
          usages: ['digital signature', 'client auth'],
        },
      }
      expect(kubectl('create --user=joining -f -', JSON.stringify(request))).toContain('created')
      await until('it is issued', () => /Approved,Issued$/m.test(kubectl('get csr node-9')))
      expect(kubectl('get csr node-9')).toContain('system:bootstrap:abcdef')
      expect(kubectl('get csr node-9 -o jsonpath={.status.conditions[*].reason}')).toBe('AutoApproved')
      writeFileSync(
        file('node.crt'),
        Buffer.from(kubectl('get csr node-9 -o jsonpath={.status.certificate}'), 'base64'),
      )
      kubectl(`config set-credentials node-9 --client-certificate=${file('node.crt')} --client-key=${file('node.key')}`)
      expect(kubectl('auth whoami --user=node-9 -o jsonpath={.status.userInfo.username}')).toBe('system:node:node-9')
    },
  )
})

test('no component of the cluster has asked for more than it may', () => {
  const lines = readFileSync(join(cluster.stateDir, 'logs/api-server.log'), 'utf8').split('\n')
  const refused = lines
    .filter((line) => line.includes('"code":403'))
    .map((line) => JSON.parse(line) as { user: string; method: string; url: string })
    .filter(({ user }) => user.startsWith('system:'))
  expect(refused).toEqual([])
})
