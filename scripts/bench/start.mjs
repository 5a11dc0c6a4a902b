/**
 * How soon a built cluster is up, beside its floor: as many bare Node processes, all started at once, that each listen.
 * Both are measured in turns in this one run, because what counts on a busy or a slow machine is the ratio. Where
 * NODE_EXTRA_CA_CERTS is set, each bare process of Node 20 reads certificates for 37 ms, and none of the cluster does:
 * there the ratio is smaller, and the result says so.
 *
 * `npm run bench -- start --trace` prints the waterfall of one start: for each process when the kernel made it, when
 * its code was loaded and it listened, when it had its first complete lists, when it served, when its node was there.
 */

import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { root } from '../bootstrap.mjs'
import { median, run, time } from './measure.mjs'

const dinghy = join(root, 'packages/cli/bin/dinghy.mjs')
const rounds = 5
const nodes = 3
const extraCertificates = process.env.NODE_EXTRA_CA_CERTS ? ' (NODE_EXTRA_CA_CERTS is set)' : ''
const listen = "require('node:http').createServer().listen(0, '127.0.0.1', () => console.log('listening'))"

export async function* measure({ trace = false } = {}) {
  const floors = []
  const starts = []
  // How many there are differs from machine to machine, and nobody measures a first start.
  let processes = 0
  await withCluster((stateDir) => {
    const components = readdirSync(join(stateDir, 'run')).filter((file) => file.endsWith('.json'))
    processes = components.length + 1 // the supervisor
  })
  for (let round = 0; round < rounds; round++) {
    floors.push(await time(() => startBareProcesses(processes)))
    starts.push(await withCluster(() => undefined))
  }
  const ratio = median(starts.map((start, round) => start / floors[round]))
  yield {
    name: `start of a built cluster of ${processes} processes, as times its floor`,
    value: ratio,
    unit: '×',
    limit: 2.2,
    comparison: `up --detach ${Math.round(median(starts))} ms; ${processes} bare Node processes that listen ${Math.round(median(floors))} ms${extraCertificates}`,
  }
  if (trace) await withCluster(printWaterfall, { LOG_LEVEL: 'debug' })
}

async function startBareProcesses(count) {
  const children = Array.from({ length: count }, () =>
    spawn(process.execPath, ['-e', listen], { stdio: ['ignore', 'pipe', 'inherit'] }),
  )
  await Promise.all(children.map((child) => new Promise((resolve) => child.stdout.once('data', resolve))))
  for (const child of children) child.kill('SIGKILL')
  await Promise.all(children.map((child) => new Promise((resolve) => child.once('close', resolve))))
}

/** Milliseconds that `up --detach` took. */
async function withCluster(look, environment = {}) {
  const stateDir = await mkdtemp(join(tmpdir(), 'dinghy-bench-'))
  const cli = (...args) =>
    run(process.execPath, [dinghy, ...args, '--cluster', 'bench', '--state-dir', stateDir], {
      env: { ...process.env, ...environment },
    })
  try {
    const begun = Date.now()
    const taken = await time(() => cli('up', '--detach', '--nodes', String(nodes)))
    look(stateDir, begun)
    return taken
  } finally {
    await cli('down', '--wipe')
    await rm(stateDir, { recursive: true, force: true })
  }
}

/** What the components said of themselves, in the order of time. */
function printWaterfall(stateDir, begun) {
  const logs = readdirSync(join(stateDir, 'logs')).filter((name) => name.endsWith('.log'))
  const marks = logs.flatMap((file) => marksOf(basename(file, '.log'), join(stateDir, 'logs', file)))
  const width = Math.max(...marks.map(({ component }) => component.length))
  const last = Math.max(...marks.map(({ at }) => at - begun))
  console.log(`\n${'ms'.padStart(6)}  waterfall of one start (logging at level debug, which costs a little)`)
  for (const { component, at, what } of marks.toSorted((a, b) => a.at - b.at)) {
    const bar = '·'.repeat(Math.max(0, Math.round(((at - begun) / last) * 40)))
    console.log(`${String(at - begun).padStart(6)}  ${component.padEnd(width)}  ${bar}▏ ${what}`)
  }
}

function marksOf(component, file) {
  const records = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))
  const lists = records.filter(({ msg }) => msg === 'informer synced')
  const marks = records
    .filter(({ msg }) => told.has(msg))
    .map(({ time: at, msg }) => ({ component, at, what: told.get(msg) }))
  const [first] = records
  if (first !== undefined) marks.push({ component, at: bornAt(first.pid), what: 'process spawned' })
  const synced = lists.at(-1)
  if (synced !== undefined) marks.push({ component, at: synced.time, what: `${lists.length} informers synced` })
  return marks
}

const told = new Map([
  ['started', 'code loaded, debug server listening'],
  ['serving', 'listening'],
  ['driver chosen', 'driver chosen'],
  ['serving the Docker Engine API', 'listening'],
  ['serving logs and exec', 'kubelet server listening'],
  ['registered the node', 'node registered'],
  ['ready', 'ready'],
])

/** In hundredths of a second, as the kernel counts. */
function bornAt(pid) {
  const ticks = Number(
    readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')[19],
  )
  const uptimeMs = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000
  return Math.round(Date.now() - uptimeMs + ticks * 10)
}
