/**
 * Ingress and Gateway API as people meet them: the examples, kubectl, curl, and a load that must not lose a request.
 */

import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Cluster, root, until } from './harness/cluster.ts'

const cluster = new Cluster(2)
const scratch = mkdtempSync(join(tmpdir(), 'dinghy-ingress-'))
/** Root may have the ports that people expect. */
const isRoot = process.getuid?.() === 0
const httpPort = isRoot ? 80 : 8080
const httpsPort = isRoot ? 443 : 8443
let address = ''

function apply(...args: string[]): void {
  const { code, stderr } = cluster.kubectl(['apply', ...args])
  expect([code, stderr]).toEqual([0, ''])
}

function applyText(text: string): string {
  const { stdout, stderr } = cluster.kubectl(['apply', '-f', '-'], text)
  return stdout + stderr
}

/** A certificate of its own for shop.example and blog.example, as the example's README makes it. */
function makeSecret(name: string): string {
  const [key, cert] = [join(scratch, `${name}.key`), join(scratch, `${name}.crt`)]
  const names = 'subjectAltName=DNS:shop.example,DNS:blog.example'
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
  const subject = ['-subj', `/CN=${name}`, '-addext', names]
  execFileSync('openssl', ['req', '-x509', ...ec, '-nodes', '-days', '2', ...subject, '-keyout', key, '-out', cert], {
    stdio: 'ignore',
  })
  const secret = ['create', 'secret', 'tls', 'sites-tls', '--cert', cert, '--key', key]
  const { stdout } = cluster.kubectl([...secret, '--dry-run=client', '-o', 'yaml'])
  applyText(stdout)
  return cert
}

function curl(host: string, path: string, ...args: string[]): string {
  const to = [
    '--connect-to',
    `${host}:80:${address}:${httpPort}`,
    '--connect-to',
    `${host}:443:${address}:${httpsPort}`,
  ]
  const { stdout, stderr } = spawnSync('curl', ['-sS', '--path-as-is', '-m', '10', ...to, ...args, path], {
    encoding: 'utf8',
  })
  return stdout + stderr
}

beforeAll(async () => {
  cluster.up()
  await until('the classes', async () => cluster.kubectl(['get', 'gatewayclass', 'dinghy']).code === 0)
}, 180_000)
afterAll(() => {
  cluster.destroy()
  rmSync(scratch, { recursive: true, force: true })
})

test('what is there from the start: the classes, and the kinds of the Gateway API', () => {
  const { stdout } = cluster.kubectl(['get', 'ingressclass,gatewayclass'])
  expect(stdout).toMatch(/ingressclass.networking.k8s.io\/dinghy +dinghy.dev\/ingress/)
  expect(stdout).toMatch(/gatewayclass.gateway.networking.k8s.io\/dinghy +dinghy.dev\/ingress +True/)
  const explained = cluster.kubectl(['explain', 'httproute.spec'])
  expect(explained.stdout).toMatch(/hostnames\s+<\[\]string>[^]*parentRefs\s+<\[\]Object>[^]*rules\s+<\[\]Object>/)
})

test('two hosts, TLS by name, a default backend, and what kubectl shows', async () => {
  const certificate = makeSecret('first')
  apply('-f', join(root, 'examples/ingress-tls/sites.yaml'))
  for (const name of ['shop', 'blog']) cluster.kubectl(['rollout', 'status', `deployment/${name}`, '--timeout=120s'])
  address = await until('an address', async () => {
    const path = 'jsonpath={.status.loadBalancer.ingress[0].ip}'
    return cluster.kubectl(['get', 'ingress', 'sites', '-o', path]).stdout
  })
  const { stdout } = cluster.kubectl(['get', 'ingress', 'sites'])
  expect(stdout.split('\n')[1]).toMatch(
    new RegExp(`^sites +dinghy +shop.example,blog.example +${address.replaceAll('.', '[.]')} +80, 443 +`),
  )
  await until('the shop', async () => curl('shop.example', 'http://shop.example/a?b').startsWith('shop /a?b by shop-'))
  expect(curl('blog.example', 'http://blog.example/')).toMatch(/^blog \/ /)
  expect(curl('shop.example', 'http://shop.example/news/1')).toMatch(/^blog \/news\/1 /)
  expect(curl('none.example', 'http://none.example/x')).toMatch(/^blog \/x /)
  const tls = (...args: string[]) => curl('shop.example', 'https://shop.example/', '--cacert', certificate, ...args)
  expect(tls()).toMatch(/^shop \/ /)
  expect(tls('--http1.1')).toMatch(/^shop \/ /)
  // A new certificate is shown at once, the old one no more.
  const renewed = makeSecret('second')
  await until('the new certificate', async () => {
    return curl('shop.example', 'https://shop.example/', '--cacert', renewed).startsWith('shop')
  })
  expect(tls()).toContain('certificate')
})

test('paths that mean more than they say, and a route to oneself', async () => {
  const status = (path: string) =>
    curl('shop.example', `http://shop.example${path}`, '-o', '/dev/null', '-w', '%{http_code}')
  expect(['/a/../news', '/a/..%2fnews', '/a%00', '//news', '/../x'].map(status)).toEqual([
    '200',
    '400',
    '400',
    '200',
    '400',
  ])
  expect(curl('shop.example', 'http://shop.example/a/%2e%2e/news')).toMatch(/^blog \/news /)
  applyText(`
apiVersion: v1
kind: Service
metadata: {name: mirror}
spec: {ports: [{port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: mirror, labels: {kubernetes.io/service-name: mirror}}
addressType: IPv4
ports: [{port: ${httpPort}}]
endpoints: [{addresses: ["${address}"]}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: mirror}
spec:
  rules: [{host: mirror.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: mirror, port: {number: 80}}}}]}}]
`)
  await until('the loop to be seen', async () => curl('mirror.example', 'http://mirror.example/').startsWith('508'))
})

test('events say what is missing', async () => {
  applyText(`
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: broken}
spec:
  tls: [{hosts: [broken.example], secretName: none}]
  rules: [{host: broken.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: none, port: {number: 80}}}}]}}]
`)
  const described = await until('the events', async () => {
    const { stdout } = cluster.kubectl(['describe', 'ingress', 'broken'])
    return stdout.includes('Using default certificate') && stdout
  })
  expect(described).toContain(
    'Error obtaining Endpoints for Service "default/none": no object matching key "default/none" in local store',
  )
  expect(curl('broken.example', 'http://broken.example/')).toMatch(/^503 /)
})

test('a canary by weight, and by a header', async () => {
  apply('-f', join(root, 'examples/canary/canary.yaml'))
  for (const name of ['app-v1', 'app-v2'])
    cluster.kubectl(['rollout', 'status', `deployment/${name}`, '--timeout=120s'])
  await until('the canary', async () => curl('app.example', 'http://app.example/').startsWith('v'))
  const answers = await Promise.all(Array.from({ length: 200 }, () => answer('app.example', '/')))
  const canaries = answers.filter((version) => version === 'v2').length
  // 20 are expected; outside of this once in some million runs.
  expect(canaries).toBeGreaterThan(0)
  expect(canaries).toBeLessThan(50)
  expect(curl('app.example', 'http://app.example/', '-H', 'x-canary: yes')).toBe('v2\n')
  const { stdout } = cluster.kubectl(['get', 'gateway,httproute'])
  expect(stdout).toMatch(new RegExp(`gateway.gateway.networking.k8s.io/front +dinghy +${address} +True`))
  const path = 'jsonpath={.status.parents[0].conditions[*].reason} {.status.parents[0].controllerName}'
  const route = cluster.kubectl(['get', 'httproute', 'app', '-o', path])
  expect(route.stdout).toBe('Accepted ResolvedRefs dinghy.dev/ingress')
  const attached = cluster.kubectl(['get', 'gateway', 'front', '-o', 'jsonpath={.status.listeners[0].attachedRoutes}'])
  expect(attached.stdout).toBe('1')
})

test('rules of the Gateway API refuse what upstream refuses', () => {
  const route = (rule: string) => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: refused}
spec: {rules: [${rule}]}`
  expect(applyText(route('{matches: [{path: {value: no-slash}}]}'))).toContain(
    "value must be an absolute path and start with '/' when type one of ['Exact', 'PathPrefix']",
  )
  expect(applyText(route('{timeouts: {request: 1s, backendRequest: 2s}}'))).toContain(
    'backendRequest timeout cannot be longer than request timeout',
  )
  expect(applyText(route('{backendRefs: [{name: web}]}'))).toContain('Must have port for Service reference')
})

const agent = new Agent({ keepAlive: true })

function answer(host: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = get({ host: address, port: httpPort, path, headers: { Host: host }, agent }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
      response.on('error', reject).on('end', () => {
        if (response.statusCode === 200) resolve(body.trim())
        else reject(new Error(`${response.statusCode} ${body}`))
      })
    })
    asked.on('error', reject)
  })
}

/** A steady load until `during` has ended: how many requests were answered, and what became of the others. */
async function underLoad(during: () => Promise<unknown>): Promise<{ answered: number; failed: string[] }> {
  const result = { answered: 0, failed: [] as string[] }
  const over = new AbortController()
  const ask = async () => {
    while (!over.signal.aborted) {
      await answer('shop.example', '/').then(
        () => (result.answered += 1),
        (error: Error) => result.failed.push(error.message),
      )
    }
  }
  const asking = Promise.all([ask(), ask(), ask(), ask()])
  await during()
  over.abort()
  await asking
  return result
}

async function podNames(): Promise<string[]> {
  const { items } = await cluster.core.listNamespacedPod({ namespace: 'default', labelSelector: 'app=shop' })
  return items.map(({ metadata }) => metadata?.name ?? '')
}

test('a rolling restart under load loses no request', async () => {
  const before = await podNames()
  const { answered, failed } = await underLoad(async () => {
    cluster.kubectl(['rollout', 'restart', 'deployment/shop'])
    await until('new pods alone', async () => {
      const now = await podNames()
      return now.length === 2 && now.every((name) => !before.includes(name))
    })
  })
  expect(failed).toEqual([])
  expect(answered).toBeGreaterThan(50)
})

test('many silent connections do not keep others from being served', async () => {
  const sockets: Socket[] = []
  try {
    for (let count = 0; count < 2_000; count++) {
      sockets.push(connect(httpPort, address).on('error', () => undefined))
      if (count % 100 === 99) await new Promise((resolve) => sockets.at(-1)?.once('connect', resolve))
    }
    expect(await answer('shop.example', '/')).toMatch(/^shop/)
  } finally {
    for (const socket of sockets) socket.destroy()
  }
})

test('killed, it is back with everything, without being told', async () => {
  process.kill(cluster.pid('ingress'), 'SIGKILL')
  await until('the shop again', async () => curl('shop.example', 'http://shop.example/').startsWith('shop'))
  expect(curl('app.example', 'http://app.example/', '-H', 'x-canary: yes')).toBe('v2\n')
})

test('where it listens, and what it serves, is to be seen', () => {
  const { debug } = JSON.parse(readFileSync(join(cluster.stateDir, 'run/ingress.json'), 'utf8')) as { debug: string }
  const page = JSON.parse(execFileSync('curl', ['-sS', `${debug}/debug/routes`], { encoding: 'utf8' })) as {
    routes: { route: string; host: string }[]
  }
  expect(page.routes.map(({ route, host }) => `${route} ${host}`)).toContain('HTTPRoute default/app app.example')
})

test('an Ingress that goes takes its routes with it', async () => {
  cluster.kubectl(['delete', 'ingress', 'sites'])
  await until('no route', async () => curl('shop.example', 'http://shop.example/').startsWith('404'))
})
