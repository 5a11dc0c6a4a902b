import { createPublicKey, verify, type JsonWebKey } from 'node:crypto'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import { once } from 'node:events'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { serverFixture } from '../../testing/server-fixture.ts'

let fixture: Awaited<ReturnType<typeof serverFixture>>
let kubelet: Server
const asked: string[] = []

/** A kubelet that answers logs with two chunks, and echoes whatever comes after an upgrade. */
beforeAll(async () => {
  fixture = await serverFixture()
  const http = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    if (request.url?.includes('tailLines=-1')) {
      response.writeHead(400).end('tailLines: Invalid value: -1')
      return
    }
    response.write('first line\n')
    response.end('second line\n')
  })
  http.on('upgrade', (request, socket, head) => {
    asked.push(`UPGRADE ${request.url}`)
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    socket.write(head)
    socket.pipe(socket)
  })
  kubelet = http.listen(0, '127.0.0.1')
  await once(kubelet, 'listening')
  const node = { metadata: { name: 'node-1' } }
  await ask('POST', '/api/v1/nodes', node)
  const status = {
    addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
    daemonEndpoints: { kubeletEndpoint: { Port: (kubelet.address() as AddressInfo).port } },
  }
  await ask('PATCH', '/api/v1/nodes/node-1/status', { status }, merge)
})
afterAll(async () => {
  kubelet.close()
  await fixture.close()
})
beforeEach(() => asked.splice(0))

function ask(...args: Parameters<(typeof fixture)['ask']>) {
  return fixture.ask(...args)
}
const merge = { 'content-type': 'application/merge-patch+json' }
const pods = '/api/v1/namespaces/default/pods'
let count = 0
async function podNamed(more: object = {}, metadata: object = {}): Promise<string> {
  const name = `pod-${++count}`
  const spec = { containers: [{ name: 'c', image: 'busybox' }], ...more }
  expect((await ask('POST', pods, { metadata: { name, ...metadata }, spec })).code).toBe(201)
  return name
}
function binding(name: string, node: string) {
  return { metadata: { name }, target: { kind: 'Node', name: node } }
}

describe('binding', () => {
  test('puts the pod on a node, once', async () => {
    const name = await podNamed()
    expect((await ask('POST', `${pods}/${name}/binding`, binding(name, 'node-1'))).json).toMatchObject({
      kind: 'Status',
      status: 'Success',
    })
    const bound = (await ask('GET', `${pods}/${name}`)).json
    expect(bound).toMatchObject({
      spec: { nodeName: 'node-1' },
      status: { conditions: [{ type: 'PodScheduled', status: 'True', lastTransitionTime: '2025-01-01T00:00:00Z' }] },
    })
    const again = await ask('POST', `${pods}/${name}/binding`, binding(name, 'node-2'))
    expect(again.json).toMatchObject({
      code: 409,
      message: `Operation cannot be fulfilled on pods/binding "${name}": pod ${name} is already assigned to node "node-1"`,
    })
  })

  test('in its old place, too', async () => {
    const name = await podNamed()
    expect((await ask('POST', '/api/v1/namespaces/default/bindings', binding(name, 'node-1'))).code).toBe(201)
    expect((await ask('GET', `${pods}/${name}`)).json).toMatchObject({ spec: { nodeName: 'node-1' } })
  })

  test('to nothing is invalid, of nothing is NotFound', async () => {
    const name = await podNamed()
    expect((await ask('POST', `${pods}/${name}/binding`, { metadata: { name }, target: {} })).json).toMatchObject({
      code: 422,
    })
    expect((await ask('POST', `${pods}/none/binding`, binding('none', 'node-1'))).code).toBe(404)
  })
})

describe('eviction', () => {
  const budgets = '/apis/policy/v1/namespaces/default/poddisruptionbudgets'
  const eviction = (name: string) => ({ apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name } })
  const running = async (labels: object) => {
    const name = await podNamed({}, { labels })
    const status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] }
    await ask('PATCH', `${pods}/${name}/status`, { status }, merge)
    return name
  }
  const budgetOf = async (name: string, disruptionsAllowed: number) => {
    await ask('POST', budgets, {
      metadata: { name },
      spec: { minAvailable: 1, selector: { matchLabels: { app: name } } },
    })
    const status = { disruptionsAllowed, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1, observedGeneration: 1 }
    await ask('PATCH', `${budgets}/${name}/status`, { status }, merge)
  }

  test('without a budget is a delete', async () => {
    const name = await running({})
    expect((await ask('POST', `${pods}/${name}/eviction`, eviction(name))).json).toMatchObject({ status: 'Success' })
    const after = await ask('GET', `${pods}/${name}`)
    expect(after.code === 404 || after.json['metadata']?.['deletionTimestamp'] !== undefined).toBe(true)
  })

  test('says in the pod why it goes', async () => {
    const name = await podNamed({}, { finalizers: ['example.com/wait'] })
    const stale = { ...eviction(name), deleteOptions: { preconditions: { resourceVersion: '1' } } }
    expect((await ask('POST', `${pods}/${name}/eviction`, stale)).json).toMatchObject({
      code: 409,
      message: expect.stringContaining(
        'the ResourceVersion in the precondition (1) does not match the ResourceVersion',
      ),
    })
    expect((await ask('POST', `${pods}/${name}/eviction`, eviction(name))).code).toBe(201)
    expect((await ask('GET', `${pods}/${name}`)).json).toMatchObject({
      metadata: { deletionTimestamp: expect.any(String) },
      status: {
        conditions: [
          {
            type: 'DisruptionTarget',
            status: 'True',
            reason: 'EvictionByEvictionAPI',
            message: 'Eviction API: evicting',
          },
        ],
      },
    })
  })

  test('spends its budget, and is refused when there is nothing left', async () => {
    await budgetOf('web', 1)
    const [first, second] = [await running({ app: 'web' }), await running({ app: 'web' })]
    expect((await ask('POST', `${pods}/${first}/eviction?dryRun=All`, eviction(first))).code).toBe(201)
    expect((await ask('POST', `${pods}/${first}/eviction`, eviction(first))).code).toBe(201)
    expect((await ask('GET', `${budgets}/web`)).json).toMatchObject({
      status: { disruptionsAllowed: 0, disruptedPods: { [first]: '2025-01-01T00:00:00Z' } },
    })
    const refused = await ask('POST', `${pods}/${second}/eviction`, eviction(second))
    expect(refused.json).toMatchObject({
      code: 429,
      reason: 'TooManyRequests',
      message: "Cannot evict pod as it would violate the pod's disruption budget.",
      details: {
        causes: [
          { reason: 'DisruptionBudget', message: 'The disruption budget web needs 1 healthy pods and has 1 currently' },
        ],
      },
    })
  })
})

describe('log, exec and friends go to the kubelet', () => {
  const bound = async (containers = [{ name: 'c', image: 'x' }]) => {
    const name = await podNamed({ containers })
    await ask('POST', `${pods}/${name}/binding`, binding(name, 'node-1'))
    return name
  }

  test('log, with the options of the client', async () => {
    const name = await bound()
    const answer = await ask('GET', `${pods}/${name}/log?container=c&tailLines=5&follow=true`)
    expect(answer.text).toBe('first line\nsecond line\n')
    expect(asked).toEqual([`GET /containerLogs/default/${name}/c?tailLines=5&follow=true`])
  })

  test('why there is no log, in the words of the kubelet', async () => {
    const answer = await ask('GET', `${pods}/${await bound()}/log?tailLines=-1`)
    expect(answer.json).toMatchObject({ code: 400, reason: 'BadRequest', message: 'tailLines: Invalid value: -1' })
  })

  test('log of a pod that is nowhere yet is empty', async () => {
    expect(await ask('GET', `${pods}/${await podNamed()}/log`)).toMatchObject({ code: 200, text: '' })
  })

  test('which container, must be clear', async () => {
    const name = await bound([
      { name: 'a', image: 'x' },
      { name: 'b', image: 'x' },
    ])
    expect((await ask('GET', `${pods}/${name}/log`)).json).toMatchObject({
      code: 400,
      message: `a container name must be specified for pod ${name}, choose one of: [a b]`,
    })
    expect((await ask('GET', `${pods}/${name}/log?container=z`)).json).toMatchObject({
      code: 400,
      message: `container z is not valid for pod ${name}`,
    })
  })

  test('exec, byte for byte in both directions', async () => {
    const name = await bound()
    const socket = connect(fixture.server.port, '127.0.0.1')
    socket.write(
      `GET ${pods}/${name}/exec?command=sh&command=-c&container=c&stdin=true HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n`,
    )
    const [head] = (await once(socket, 'data')) as [Buffer]
    expect(head.toString()).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/)
    expect(asked).toEqual([`UPGRADE /exec/default/${name}/c?command=sh&command=-c&stdin=true`])
    const bytes = Buffer.from([0, 1, 2, 255, 254])
    socket.write(bytes)
    const [echo] = (await once(socket, 'data')) as [Buffer]
    expect(echo).toEqual(bytes)
    socket.end()
    await once(socket, 'close')
  })

  test('a refused upgrade is answered like any other request', async () => {
    const socket = connect(fixture.server.port, '127.0.0.1')
    socket.write(
      `GET ${pods}/none/exec?command=sh HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
    )
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 404 Not Found\r\n/)
    await once(socket, 'close')
  })

  test('a kubelet that is not there is 503', async () => {
    await ask('POST', '/api/v1/nodes', { metadata: { name: 'dead' } })
    const status = {
      addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
      daemonEndpoints: { kubeletEndpoint: { Port: 1 } },
    }
    await ask('PATCH', '/api/v1/nodes/dead/status', { status }, merge)
    const name = await podNamed()
    await ask('POST', `${pods}/${name}/binding`, binding(name, 'dead'))
    expect((await ask('GET', `${pods}/${name}/log`)).json).toMatchObject({ code: 503, reason: 'ServiceUnavailable' })
  })

  test('a proxied page has a directory to be relative to, and may be asked for its options', async () => {
    const page = await ask('GET', '/api/v1/nodes/node-1/proxy?a=b')
    expect([page.code, page.headers['location']]).toEqual([301, '/api/v1/nodes/node-1/proxy/?a=b'])
    expect((await ask('OPTIONS', '/api/v1/nodes/node-1/proxy/x')).code).toBe(200)
    expect(asked).toEqual(['OPTIONS /x'])
    expect((await ask('GET', '/api/v1/nodes/ftp:node-1:1/proxy/')).json).toMatchObject({ code: 400 })
  })

  test('pods/proxy and services/proxy find their address', async () => {
    const { port } = kubelet.address() as AddressInfo
    const name = await podNamed({ containers: [{ name: 'c', image: 'x', ports: [{ containerPort: port }] }] })
    const noAddress = await ask('GET', `${pods}/${name}/proxy/`)
    expect(noAddress.json).toMatchObject({ code: 400, message: `address not allowed: pod ${name} has no IP yet` })
    await ask('PATCH', `${pods}/${name}/status`, { status: { podIP: '127.0.0.1' } }, merge)
    expect((await ask('POST', `${pods}/${name}/proxy/a`, { some: 'body' })).code).toBe(200)
    const services = '/api/v1/namespaces/default/services'
    await ask('POST', services, { metadata: { name: 'web' }, spec: { ports: [{ name: 'http', port: 80 }] } })
    expect((await ask('GET', `${services}/web/proxy/`)).json).toMatchObject({ code: 503 })
    expect((await ask('GET', `${services}/web:none/proxy/`)).json).toMatchObject({ code: 503 })
    await ask('POST', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', {
      metadata: { name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['127.0.0.1'], conditions: { ready: true } }],
      ports: [{ name: 'http', port, protocol: 'TCP' }],
    })
    expect((await ask('GET', `${services}/http:web:http/proxy/b%20c?d`)).code).toBe(200)
    expect(asked).toEqual(['POST /a', 'GET /b%20c?d'])
    expect((await ask('GET', `${services}/none/proxy/`)).code).toBe(404)
    expect((await ask('GET', `${pods}/none/proxy/`)).code).toBe(404)
  })

  test('a body that the target leaves unread ends the connection, which would be stuck', async () => {
    const { host, port } = fixture.server
    const socket = connect(port, host)
    const length = 8 << 20
    socket.write(`POST /api/v1/nodes/node-1/proxy/x HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${length}\r\n\r\n`)
    socket.write(Buffer.alloc(length / 2))
    let said = ''
    for await (const chunk of socket) said += String(chunk)
    // Whether the target's answer is heard before its hanging up is a matter of luck; the end is not.
    expect(said).toMatch(/^HTTP\/1.1 (200|503) [^]*connection: close/i)
  })

  test('nodes/proxy asks the kubelet whatever it is told', async () => {
    expect((await ask('GET', '/api/v1/nodes/node-1/proxy/stats/summary?only=cpu')).text).toContain('second line')
    expect(asked).toEqual(['GET /stats/summary?only=cpu'])
  })
})

describe('tokens', () => {
  test('of a service account are known again, while it exists', async () => {
    const accounts = '/api/v1/namespaces/default/serviceaccounts'
    await ask('POST', accounts, { metadata: { name: 'robot' } })
    const answer = await ask('POST', `${accounts}/robot/token`, { spec: { expirationSeconds: 3600 } })
    const { status } = answer.json as unknown as { status: { token: string; expirationTimestamp: string } }
    expect(status.expirationTimestamp).toBe('2025-01-01T01:00:00Z')
    const review = (token: string) => ask('POST', '/apis/authentication.k8s.io/v1/tokenreviews', { spec: { token } })
    expect((await review(status.token)).json).toMatchObject({
      status: { authenticated: true, user: { username: 'system:serviceaccount:default:robot' } },
    })
    const self = await ask(
      'POST',
      '/apis/authentication.k8s.io/v1/selfsubjectreviews',
      {},
      { authorization: `Bearer ${status.token}` },
    )
    expect(self.json).toMatchObject({ status: { userInfo: { username: 'system:serviceaccount:default:robot' } } })
    const forged = `${status.token.slice(0, -4)}AAAA`
    expect((await review(forged)).json).toMatchObject({ status: { error: 'invalid bearer token' } })
    await ask('DELETE', `${accounts}/robot`)
    expect((await review(status.token)).json).toMatchObject({ status: { error: 'invalid bearer token' } })
  })

  test('can be checked by others with what is published', async () => {
    const { json: configuration } = await ask('GET', '/.well-known/openid-configuration')
    const keys = await ask('GET', '/openid/v1/jwks')
    expect(configuration).toMatchObject({ id_token_signing_alg_values_supported: ['ES256'] })
    expect(keys.headers['content-type']).toBe('application/jwk-set+json')
    await ask('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'checked' } })
    const path = '/api/v1/namespaces/default/serviceaccounts/checked/token'
    const { token } = (await ask('POST', path, { spec: {} })).json['status'] as unknown as { token: string }
    const [header = '', payload = '', signature = ''] = token.split('.')
    const [jwk] = keys.json['keys'] as unknown as JsonWebKey[]
    const key = createPublicKey({ key: jwk ?? {}, format: 'jwk' })
    const signed = Buffer.from(`${header}.${payload}`)
    const isGood = verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'))
    expect(isGood).toBe(true)
  })

  test('must live for ten minutes', async () => {
    await ask('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'hasty' } })
    const answer = await ask('POST', '/api/v1/namespaces/default/serviceaccounts/hasty/token', {
      spec: { expirationSeconds: 10 },
    })
    expect(answer.json).toMatchObject({
      code: 422,
      message: expect.stringContaining('may not specify a duration less than 10 minutes'),
    })
  })
})

describe('reviews', () => {
  test('an administrator may act as somebody else', async () => {
    const answer = await ask(
      'POST',
      '/apis/authentication.k8s.io/v1/selfsubjectreviews',
      {},
      { 'impersonate-user': 'jane' },
    )
    expect(answer.json).toMatchObject({ status: { userInfo: { username: 'jane', groups: ['system:authenticated'] } } })
  })

  test('answer in the form that was asked for, and in no other', async () => {
    const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews'
    expect((await ask('POST', path, {}, { accept: 'text/html' })).json).toMatchObject({ code: 406 })
    expect((await ask('POST', path, {}, { accept: 'application/yaml' })).text).toContain('kind: SelfSubjectReview\n')
  })

  test('access is allowed, and the question must be one', async () => {
    const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews'
    expect(
      (await ask('POST', path, { spec: { resourceAttributes: { verb: 'get', resource: 'pods' } } })).json,
    ).toMatchObject({ status: { allowed: true } })
    expect((await ask('POST', path, { spec: {} })).code).toBe(422)
  })
})

describe('scale', () => {
  const deployments = '/apis/apps/v1/namespaces/default/deployments'
  const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'busybox' }] } }
  const spec = { replicas: 3, selector: { matchLabels: { app: 'web' } }, template }

  test('is a view, as an object and as a table', async () => {
    await ask('POST', deployments, { metadata: { name: 'web' }, spec })
    expect((await ask('GET', `${deployments}/web/scale`)).json).toMatchObject({
      kind: 'Scale',
      spec: { replicas: 3 },
      status: { replicas: 0, selector: 'app=web' },
    })
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'
    const { json } = await ask('GET', `${deployments}/web/scale`, undefined, { accept })
    expect(json).toMatchObject({ kind: 'Table', rows: [{ cells: ['web', 3, 0, '0s'] }] })
    const columns = ['Name', 'Desired', 'Available', 'Age'].map((name) => expect.objectContaining({ name }) as unknown)
    expect(json['columnDefinitions']).toEqual(columns)
  })
})

describe('an unknown field is warned of, whatever carries it', () => {
  const unknown = { extra: 1 }
  const warning = '299 - "unknown field \\"extra\\""'

  test('binding and eviction', async () => {
    const name = await podNamed()
    const bound = await ask('POST', `${pods}/${name}/binding`, { ...binding(name, 'node-1'), ...unknown })
    expect([bound.code, bound.headers['warning']]).toEqual([201, warning])
    const evicted = await ask('POST', `${pods}/${name}/eviction`, { metadata: { name }, ...unknown })
    expect([evicted.code, evicted.headers['warning']]).toEqual([201, warning])
  })

  test('a token', async () => {
    const accounts = '/api/v1/namespaces/default/serviceaccounts'
    await ask('POST', accounts, { metadata: { name: 'warned' } })
    const token = await ask('POST', `${accounts}/warned/token`, { spec: {}, ...unknown })
    expect([token.code, token.headers['warning']]).toEqual([201, warning])
  })

  test('a Scale', async () => {
    const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'x' }] } }
    const spec = { replicas: 1, selector: { matchLabels: { a: 'b' } }, template }
    const sets = '/apis/apps/v1/namespaces/default/replicasets'
    await ask('POST', sets, { metadata: { name: 'warned' }, spec })
    const scaled = await ask('PUT', `${sets}/warned/scale`, { spec: { replicas: 2 }, ...unknown })
    expect([scaled.code, scaled.headers['warning']]).toEqual([200, warning])
  })
})

test('a Scale can be patched, within its rules', async () => {
  const template = { metadata: { labels: { a: 'c' } }, spec: { containers: [{ name: 'c', image: 'x' }] } }
  const spec = { replicas: 1, selector: { matchLabels: { a: 'c' } }, template }
  const sets = '/apis/apps/v1/namespaces/default/replicasets'
  await ask('POST', sets, { metadata: { name: 'patched' }, spec })
  const scale = `${sets}/patched/scale`
  expect((await ask('PATCH', scale, { spec: { replicas: 3 } }, merge)).json).toMatchObject({ spec: { replicas: 3 } })
  expect((await ask('PATCH', scale, { spec: { replicas: -1 } }, merge)).json).toMatchObject({ code: 422 })
  expect((await ask('PATCH', scale, { metadata: { name: 'other' } }, merge)).json).toMatchObject({ code: 400 })
  expect((await ask('PATCH', scale, { metadata: { uid: 'other' } }, merge)).json).toMatchObject({ code: 409 })
  expect((await ask('PATCH', scale, { metadata: { resourceVersion: '1' } }, merge)).json).toMatchObject({ code: 409 })
})

test('a status can be emptied, but never taken away', async () => {
  const name = await podNamed()
  await ask('POST', '/api/v1/nodes', { metadata: { name: 'emptied' } })
  const ofNode = expect.objectContaining({ daemonEndpoints: { kubeletEndpoint: { Port: 0 } } })
  const cases: [string, unknown][] = [
    [`${pods}/${name}`, { qosClass: 'BestEffort' }], // which nobody can change
    ['/api/v1/nodes/emptied', ofNode],
  ]
  for (const [path, empty] of cases) {
    for (const type of ['application/merge-patch+json', 'application/strategic-merge-patch+json']) {
      const patched = await ask('PATCH', `${path}/status`, { status: null }, { 'content-type': type })
      expect([patched.code, patched.json['status']]).toEqual([200, empty])
    }
  }
  expect((await ask('DELETE', `${pods}/${name}`)).code).toBe(200)
})
