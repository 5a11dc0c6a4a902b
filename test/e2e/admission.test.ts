/**
 * Dynamic admission by the real kubectl: a webhook that is a real HTTPS server on this machine, and a policy. One
 * cluster without nodes, since nothing of this needs a pod that runs.
 */

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Cluster, isInstalled, type Output, until } from './harness/cluster.ts'

const hasTools = isInstalled('kubectl') && spawnSync('openssl', ['version']).error === undefined

interface Review {
  request: {
    uid: string
    operation: string
    dryRun: boolean
    object: { metadata: { labels?: Record<string, string> } }
  }
}

describe.skipIf(!hasTools)(`admission${hasTools ? '' : ' (skipped: it needs kubectl and openssl)'}`, () => {
  const cluster = new Cluster(1)
  const directory = mkdtempSync(join(tmpdir(), 'dinghy-webhook-'))
  const asked: Review['request'][] = []
  let server: Server
  let address: string
  let authority: string

  beforeAll(async () => {
    const [key, certificate] = [join(directory, 'key.pem'), join(directory, 'certificate.pem')]
    const names = ['-subj', '/CN=webhook', '-addext', 'subjectAltName=IP:127.0.0.1']
    const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
    spawnSync('openssl', ['req', '-x509', ...made, ...names, '-keyout', key, '-out', certificate])
    authority = readFileSync(certificate).toString('base64')
    server = createServer({ key: readFileSync(key), cert: readFileSync(certificate) }, (request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => response.end(JSON.stringify(answer(request.url, Buffer.concat(chunks).toString()))))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    address = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
    cluster.up()
  })
  afterAll(() => {
    cluster.destroy()
    server.closeAllConnections()
    server.close()
    rmSync(directory, { recursive: true, force: true })
  })

  /** Labels what passes /mutate, and refuses at /validate what is labelled "bad". */
  function answer(url: string | undefined, body: string): object {
    const { request } = JSON.parse(body) as Review
    asked.push(request)
    const labels = request.object.metadata.labels ?? {}
    const patch = [{ op: 'add', path: '/metadata/labels', value: { ...labels, seen: 'yes' } }]
    const response = url?.startsWith('/mutate')
      ? { allowed: true, patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') }
      : { allowed: labels['bad'] === undefined, status: { message: 'it is bad' }, warnings: ['somebody looks'] }
    return { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: { uid: request.uid, ...response } }
  }

  /** Not as the harness has it: this process must be able to answer while kubectl waits. */
  async function kubectl(args: string[], input?: object): Promise<Output> {
    const child = spawn('kubectl', args, { env: cluster.env })
    const output: Output = { code: 0, stdout: '', stderr: '' }
    child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()))
    child.stdin.end(input && JSON.stringify(input))
    const [code] = (await once(child, 'close')) as [number]
    return { ...output, code }
  }
  async function apply(input: object): Promise<void> {
    const { code, stderr } = await kubectl(['apply', '-f', '-'], input)
    expect(code, stderr).toBe(0)
  }

  function configuration(kind: string, path: string): object {
    const rules = [
      { apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'], operations: ['CREATE', 'UPDATE'] },
    ]
    return {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind,
      metadata: { name: 'configmaps' },
      webhooks: [
        {
          name: 'configmaps.example.com',
          rules,
          clientConfig: { url: address + path, caBundle: authority },
          namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'default' } },
          matchConditions: [{ name: 'not-the-root-ca', expression: '!object.metadata.name.startsWith("kube-root")' }],
          sideEffects: 'None',
          admissionReviewVersions: ['v1'],
        },
      ],
    }
  }

  test('webhooks change, warn and refuse', async () => {
    await apply(configuration('MutatingWebhookConfiguration', '/mutate'))
    await apply(configuration('ValidatingWebhookConfiguration', '/validate'))
    const created = await kubectl(['create', 'configmap', 'good'])
    expect(created).toMatchObject({ code: 0, stderr: expect.stringContaining('Warning: somebody looks') })
    expect((await kubectl(['get', 'configmap', 'good', '-o', 'jsonpath={.metadata.labels.seen}'])).stdout).toBe('yes')
    expect((await kubectl(['label', 'configmap', 'good', 'bad=yes'])).stderr).toContain(
      'admission webhook "configmaps.example.com" denied the request: it is bad',
    )
    asked.splice(0)
    expect((await kubectl(['create', 'configmap', 'rehearsed', '--dry-run=server', '-o', 'yaml'])).stdout).toContain(
      'seen: "yes"',
    )
    expect(asked.map(({ dryRun }) => dryRun)).toEqual([true, true])
    expect((await kubectl(['create', 'configmap', 'elsewhere', '-n', 'kube-system'])).code).toBe(0)
    expect(asked).toHaveLength(2)
  })

  test('a webhook that is gone refuses, and can be taken away', async () => {
    const gone = configuration('ValidatingWebhookConfiguration', '/validate') as {
      webhooks: [{ clientConfig: object }]
    }
    gone.webhooks[0].clientConfig = { url: 'https://127.0.0.1:1/' }
    await apply(gone)
    expect((await kubectl(['create', 'configmap', 'refused'])).stderr).toContain(
      'failed calling webhook "configmaps.example.com": failed to call webhook: Post "https://127.0.0.1:1/?timeout=10s": dial tcp 127.0.0.1:1: connect: connection refused',
    )
    expect(
      (await kubectl(['delete', 'validatingwebhookconfiguration,mutatingwebhookconfiguration', 'configmaps'])).code,
    ).toBe(0)
    expect((await kubectl(['create', 'configmap', 'allowed'])).code).toBe(0)
  })

  test('a policy with a parameter is in force, and its mistakes are told', async () => {
    const group = 'admissionregistration.k8s.io/v1'
    const rule = {
      apiGroups: ['apps'],
      apiVersions: ['v1'],
      resources: ['deployments'],
      operations: ['CREATE', 'UPDATE'],
    }
    await apply({
      apiVersion: group,
      kind: 'ValidatingAdmissionPolicy',
      metadata: { name: 'few-replicas' },
      spec: {
        paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
        matchConstraints: { resourceRules: [rule] },
        variables: [{ name: 'most', expression: 'int(params.data.most)' }],
        validations: [
          {
            expression: 'object.spec.replicas <= variables.most',
            messageExpression: '"at most " + string(variables.most) + ", please"',
          },
          { expression: 'object.spec.replica == 1 || true' },
        ],
      },
    })
    await apply({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'limits', namespace: 'default' },
      data: { most: '3' },
    })
    await apply({
      apiVersion: group,
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata: { name: 'few-replicas' },
      spec: {
        policyName: 'few-replicas',
        validationActions: ['Deny'],
        paramRef: { name: 'limits', namespace: 'default', parameterNotFoundAction: 'Deny' },
      },
    })
    const create = async (name: string, replicas: number) =>
      await kubectl(['create', 'deployment', name, '--image=busybox', `--replicas=${replicas}`])
    expect((await create('small', 2)).code).toBe(0)
    expect((await create('large', 4)).stderr).toContain(
      "ValidatingAdmissionPolicy 'few-replicas' with binding 'few-replicas' denied request: at most 3, please",
    )
    await until('the types to be checked', async () => {
      const { stdout } = await kubectl(['describe', 'validatingadmissionpolicy', 'few-replicas'])
      return stdout.includes("undefined field 'replica'")
    })
    const wrong = { apiVersion: group, kind: 'ValidatingAdmissionPolicy', metadata: { name: 'wrong' } }
    const spec = { matchConstraints: { resourceRules: [rule] }, validations: [{ expression: 'object.' }] }
    expect((await kubectl(['apply', '-f', '-'], { ...wrong, spec })).stderr).toContain(
      'compilation failed: ERROR: <input>:1:8',
    )
  })
})
