/**
 * The API server's numbers: what a request costs beside a bare Node server that reads and answers the same JSON, asked
 * by the same client in the same run; large lists, many watchers, many objects.
 *
 * The client is a process of its own (api-load.mjs), and an ordinary user with a certificate and the role `edit`, so
 * that roles and flow control are on the way. Server, bare server and client share this machine's cores: the ratio of
 * the two is worth more than either number, and on a machine that is busy with others the ratio of their processor time
 * per request is worth more than that of their requests per second.
 */

import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { root } from '../bootstrap.mjs'
import { median, run } from './measure.mjs'

const dinghy = join(root, 'packages/cli/bin/dinghy.mjs')
const load = fileURLToPath(new URL('api-load.mjs', import.meta.url))
const bareServer = fileURLToPath(new URL('api-bare.mjs', import.meta.url))
const user = 'bench'
const namespaces = ['default', 'listed', 'watched', 'many']
const rounds = 3
const seconds = 4

export async function* measure() {
  const stateDir = await mkdtemp(join(tmpdir(), 'dinghy-bench-'))
  const cli = (...args) => run(process.execPath, [dinghy, ...args, '--state-dir', stateDir])
  let bare
  try {
    await cli('up', '--detach', '--nodes', '1')
    const status = JSON.parse((await cli('status', '-o', 'json')).stdout)
    const { pid } = status.components.find(({ name }) => name === 'api-server')
    await ask(clientOf(readFileSync(status.kubeconfig, 'utf8')), { task: 'prepare', namespaces, user })
    const client = { ...clientOf((await cli('kubeconfig', '--user', user)).stdout), pid }
    bare = await startBare(join(stateDir, 'pki'))
    yield* throughput(client, { ...client, server: bare.server, pid: bare.child.pid })
    yield* lists(client)
    yield* watchers(client, { ...client, server: bare.server, pid: bare.child.pid })
    yield* scale(client, pid)
  } finally {
    bare?.child.kill()
    await cli('down', '--wipe')
    await rm(stateDir, { recursive: true, force: true })
  }
}

const verbs = [
  { verb: 'create', what: 'creates of 1 KiB', atLeast: 0.6 },
  { verb: 'get', what: 'gets', atLeast: 0.85 },
  { verb: 'update', what: 'updates', atLeast: 0.45 },
  { verb: 'patch', what: 'merge patches', atLeast: 0.45 },
]

async function* throughput(client, bare) {
  for (const { verb, what, atLeast } of verbs) {
    const measured = []
    for (let round = 0; round < rounds; round++) {
      const warmUp = round === 0 ? 200 : 0
      const task = { task: 'throughput', verb, seconds, connections: 32, prefix: `${verb}-${round}`, warmUp }
      const own = await ask(client, task)
      const floor = await ask(bare, task)
      measured.push({ own, floor, ratio: own.perSecond / floor.perSecond })
    }
    const { own, floor, ratio } = byMedian(measured, (one) => one.ratio)
    const cpu = byMedian(measured, cpuRatio)
    yield {
      name: `API ${what}, 32 connections: beside a bare server`,
      value: ratio,
      unit: '\u00d7',
      atLeast,
      comparison: `${Math.round(own.perSecond)}/s, bare ${Math.round(floor.perSecond)}/s`,
    }
    yield {
      name: `API ${what}: processor time per request, beside a bare server`,
      value: cpuRatio(cpu),
      unit: '\u00d7',
      comparison: `${Math.round(cpu.own.cpuUs)} µs, bare ${Math.round(cpu.floor.cpuUs)} µs`,
    }
    if (verb === 'create') yield { name: 'API creates: p99', value: own.p99Ms, unit: 'ms', limit: 30 }
  }
}

/** As the other ratio: 1 is as good as the bare server. */
function cpuRatio({ own, floor }) {
  return floor.cpuUs / own.cpuUs
}

async function* lists(client) {
  await ask(client, { task: 'fill', namespace: 'listed', count: 6_500, bytes: 1_000 })
  for (const [form, what, limit] of [
    ['json', 'list', 25],
    ['table', 'Table', 40],
  ]) {
    const { medianMs, bytes } = await ask(client, { task: 'list', namespace: 'listed', form, times: 15 })
    const size = `${(bytes / 2 ** 20).toFixed(1)} MiB`
    yield { name: `API ${what} of 6,500 ConfigMaps`, value: medianMs, unit: 'ms', limit, comparison: size }
  }
}

async function* watchers(client, bare) {
  const task = { task: 'watchers', namespace: 'watched', watchers: 500, eventsPerSecond: 200, seconds: 10 }
  const own = await ask(client, task)
  const floor = await ask(bare, task)
  const describe = ({ share, delivered, expected }) => `${Math.round(share)} % for ${delivered} of ${expected} events`
  const comparison = `${describe(own)}; bare ${describe(floor)}`
  // What was not delivered cost nothing.
  const limit = own.delivered === own.expected ? { limit: 60 } : {}
  yield { name: 'API 500 watchers \u00d7 200 events/s: CPU', value: own.share, unit: '% core', ...limit, comparison }
  yield {
    name: 'API 500 watchers \u00d7 200 events/s: p99',
    value: own.p99Ms,
    unit: 'ms',
    limit: 15,
    comparison: `bare ${floor.p99Ms.toFixed(1)} ms`,
  }
}

async function* scale(client, pid) {
  const oneByOne = { task: 'throughput', verb: 'create', seconds, connections: 1 }
  const few = await ask(client, { ...oneByOne, prefix: 'few' })
  await ask(client, { task: 'fill', namespace: 'many', count: 100_000, bytes: 300 })
  const many = await ask(client, { ...oneByOne, prefix: 'many' })
  const rssMb = Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024
  yield { name: 'API server with 100,000 objects: memory (RSS)', value: rssMb, unit: 'MB', limit: 1024 }
  yield {
    name: 'API a create among 100,000 objects: beside one among few',
    value: few.perSecond / many.perSecond,
    unit: '\u00d7',
    limit: 1.15,
    comparison: `${(1000 / few.perSecond).toFixed(2)} ms \u2192 ${(1000 / many.perSecond).toFixed(2)} ms`,
  }
}

/** One question to a new process of the client. */
async function ask(client, task) {
  const { stdout } = await run(process.execPath, [load, JSON.stringify({ ...client, ...task })])
  return JSON.parse(stdout)
}

/** With the cluster's own certificates, so that encryption costs both the same. */
async function startBare(pki) {
  const child = spawn(process.execPath, [bareServer, pki], { stdio: ['ignore', 'pipe', 'inherit'] })
  const server = await new Promise((resolve, reject) => {
    child.stdout.once('data', (line) => resolve(String(line).trim()))
    child.once('exit', (code) => reject(new Error(`the bare server ended with ${code}`)))
  })
  return { server, child }
}

function clientOf(kubeconfig) {
  const find = (key) => new RegExp(`${key}: (\\S+)`).exec(kubeconfig)?.[1]
  const decoded = (key) => {
    const value = find(key)
    return value && Buffer.from(value, 'base64').toString()
  }
  return {
    server: find('server'),
    ca: decoded('certificate-authority-data'),
    cert: decoded('client-certificate-data'),
    key: decoded('client-key-data'),
  }
}

function byMedian(items, valueOf) {
  const middle = median(items.map(valueOf))
  return items.find((item) => valueOf(item) === middle)
}
