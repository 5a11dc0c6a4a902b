/**
 * The ingress' numbers: requests through it beside the same requests through nginx as an HTTP proxy, if that is
 * installed (or named by $NGINX), on kept connections and on new ones.
 *
 * Client, proxies and backend share this machine's cores, so what is compared is a proxy's own processor time for a
 * request: on a busy machine requests per second say little. The backend is nginx, too, or else a bare server of
 * node's.
 */

import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readFileSync } from 'node:fs'
import { root } from '../bootstrap.mjs'
import { cpuMs, median, run, until } from './measure.mjs'

const dinghy = join(root, 'packages/cli/bin/dinghy.mjs')
const load = fileURLToPath(new URL('ingress-load.mjs', import.meta.url))
const host = 'bench.example'
const rounds = 3
const seconds = 3

export async function* measure() {
  const scratch = await mkdtemp(join(tmpdir(), 'dinghy-bench-'))
  const cli = (...args) => run(process.execPath, [dinghy, ...args, '--state-dir', join(scratch, 'state')])
  const children = []
  try {
    const ports = await freePorts(2)
    const nginx = await startNginx(scratch, ports, children)
    await cli('up', '--detach', '--nodes', '1', '--network', 'loopback')
    const status = JSON.parse((await cli('status', '-o', 'json')).stdout)
    const port = await serve(status.kubeconfig, ports[0])
    const { pid } = JSON.parse((await cli('status', '-o', 'json')).stdout).components.find(
      ({ name }) => name === 'ingress',
    )
    const ours = { port, pid }
    for (const [kind, what] of [
      ['kept', 'kept connections'],
      ['new', 'new connections'],
    ]) {
      const measured = { ours: [], nginx: [] }
      for (let round = 0; round < rounds; round++) {
        measured.ours.push(await perCpuSecond(ours, kind))
        if (nginx.proxy) measured.nginx.push(await perCpuSecond(nginx.proxy, kind))
      }
      const own = median(measured.ours)
      const its = median(measured.nginx)
      yield { name: `ingress: requests a second of its processor time, ${what}`, value: own, unit: '/s' }
      if (!nginx.proxy) continue
      const limit = kind === 'kept' ? { atLeast: 0.6 } : {}
      const comparison = `nginx ${Math.round(its)} /s`
      yield { name: `ingress: beside nginx as HTTP proxy, ${what}`, value: own / its, unit: '×', ...limit, comparison }
    }
  } finally {
    for (const child of children) child.kill()
    await cli('down', '--wipe')
    await rm(scratch, { recursive: true, force: true })
  }
}

async function perCpuSecond({ port, pid }, kind) {
  const before = cpuMs(pid)
  const { stdout } = await run(process.execPath, [load, String(port), host, String(seconds), kind])
  return (JSON.parse(stdout).requests * 1000) / (cpuMs(pid) - before)
}

/** The backend, and the proxy if there is nginx. */
async function startNginx(scratch, [backend, proxy], children) {
  const answer = 'hello from a backend\n'
  const config = join(scratch, 'nginx.conf')
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${scratch}/${name};`)
    .join(' ')
  const of = (pid, what) => `daemon off; worker_processes 1; pid ${scratch}/${pid}; error_log ${scratch}/${pid}.log;
    events { worker_connections 4096; }
    http { access_log off; keepalive_requests 100000000; ${temporary} ${what} }`
  await writeFile(
    `${config}.backend`,
    of('backend', `server { listen 127.0.0.1:${backend}; location / { return 200 "${answer.trim()}\\n"; } }`),
  )
  await writeFile(
    config,
    of(
      'proxy',
      `upstream b { server 127.0.0.1:${backend}; keepalive 64; }
       server { listen 127.0.0.1:${proxy}; location / { proxy_pass http://b; proxy_http_version 1.1;
         proxy_set_header Connection ""; proxy_set_header Host $host;
         proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme; } }`,
    ),
  )
  const nginx = process.env.NGINX ?? 'nginx'
  const start = (file) => {
    const child = spawn(nginx, ['-p', scratch, '-c', file], { stdio: 'ignore' })
    child.on('error', () => undefined)
    if (child.pid) children.push(child)
    return child
  }
  const serving = start(`${config}.backend`)
  if (!serving.pid) {
    const script = `require('http').createServer((_, r) => r.end(${JSON.stringify(answer)})).listen(${backend}, '127.0.0.1')`
    children.push(spawn(process.execPath, ['-e', script], { stdio: 'ignore' }))
    return {}
  }
  const child = start(config)
  const worker = await until(() => childOf(child.pid), 'nginx')
  return { proxy: { port: proxy, pid: worker } }
}

function childOf(pid) {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')[0]) || undefined
  } catch (error) {
    // It has not been started, or has gone.
    if (error.code === 'ENOENT') return undefined
    throw error
  }
}

/** An Ingress whose Service leads to the backend; the port where it is served. */
async function serve(kubeconfig, backend) {
  const kubectl = (args, input) => {
    const asked = run('kubectl', args, { env: { ...process.env, KUBECONFIG: kubeconfig } })
    asked.child.stdin.end(input)
    return asked
  }
  const objects = [
    { apiVersion: 'v1', kind: 'Service', metadata: { name: 'bench' }, spec: { ports: [{ port: 80 }] } },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'bench', labels: { 'kubernetes.io/service-name': 'bench' } },
      addressType: 'IPv4',
      ports: [{ port: backend }],
      endpoints: [{ addresses: ['127.0.0.1'] }],
    },
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name: 'bench' },
      spec: {
        ingressClassName: 'dinghy',
        rules: [
          {
            host,
            http: {
              paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'bench', port: { number: 80 } } } }],
            },
          },
        ],
      },
    },
  ]
  await kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }))
  const state = join(kubeconfig, '..')
  return await until(async () => {
    const { debug } = JSON.parse(readFileSync(join(state, 'run/ingress.json'), 'utf8'))
    const page = await (await fetch(`${debug}/debug/routes`)).json()
    const open = page.ports.find(({ url }) => url?.startsWith('http://127.0.0.1:'))
    return page.routes.length > 0 && open && Number(new URL(open.url).port || 80)
  }, 'the ingress')
}

async function freePorts(count) {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise((resolve) => {
          const server = createServer().listen(0, '127.0.0.1', () => resolve(server))
        }),
    ),
  )
  const ports = servers.map((server) => server.address().port)
  for (const server of servers) server.close()
  return ports
}
