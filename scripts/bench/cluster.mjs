/**
 * The cluster's numbers: how soon it is up, what it costs when idle, how soon pods are Ready.
 */

import { readFileSync } from 'node:fs'
import { get } from 'node:http'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { root } from '../bootstrap.mjs'
import { isInstalled, median, run, time, times, until } from './measure.mjs'

const dinghy = join(root, 'packages/cli/bin/dinghy.mjs')
// Heartbeats come every three seconds, looks at the machine every ten, and the kernel counts in hundredths of a second.
const idleSeconds = 30

export async function* measure() {
  const stateDir = await mkdtemp(join(tmpdir(), 'dinghy-bench-'))
  const cli = (...args) => run(process.execPath, [dinghy, ...args, '--state-dir', stateDir])
  try {
    const starts = []
    for (let i = 0; i < 3; i++) {
      if (i > 0) await cli('down', '--wipe')
      starts.push(await time(() => cli('up', '--detach', '--nodes', '3')))
    }
    yield {
      name: 'built cluster to 3 nodes Ready',
      value: median(starts) / 1000,
      unit: 's',
      limit: 1.5,
      comparison: 'kwok 2 s, k3d 13-20 s, kind 14-33 s, minikube 21-51 s',
    }
    const statusOf = async () => JSON.parse((await cli('status', '-o', 'json')).stdout)
    // Some that nobody waits for start last.
    await until(async () => (await statusOf()).components.every(({ ready }) => ready), 'all components')
    const status = await statusOf()
    yield* idle(status)
    yield* pods(status.kubeconfig)
  } finally {
    await cli('down', '--wipe')
    await rm(stateDir, { recursive: true, force: true })
  }
}

async function* idle({ components }) {
  const pids = components.map(({ pid }) => pid)
  const supervisor = parentOf(pids[0])
  const all = [supervisor, ...pids]
  // Once started, V8 still tidies its heap for some seconds: that is starting, not idling.
  await sleep(20_000)
  const before = cpuTicks(all)
  const taken = await time(() => sleep(idleSeconds * 1000))
  const ticksPerSecond = Number((await run('getconf', ['CLK_TCK'])).stdout)
  const cpu = ((cpuTicks(all) - before) / ticksPerSecond / (taken / 1000)) * 100
  yield { name: `idle cluster, ${all.length} processes: memory (PSS)`, value: pssMb(all), unit: 'MB', limit: 350 }
  yield { name: `idle cluster, ${all.length} processes: CPU`, value: cpu, unit: '% core', limit: 2 }
}

async function* pods(kubeconfig) {
  const kubectl = kubectlFor(kubeconfig)
  const server = apiServer(kubeconfig)
  // The first pod also makes the images; what is measured is the ordinary case.
  await applyUntilReady(kubectl, server, 'warm-up')
  const ready = await times(7, (i) => applyUntilReady(kubectl, server, `one-${i}`))
  const empty = await times(7, () => kubectl(['version'], ''))
  yield {
    name: `kubectl apply of a one-container pod to Ready (${kubectl.name})`,
    value: median(ready),
    unit: 'ms',
    limit: 400,
    comparison: `of which kubectl itself: "kubectl version" takes ${Math.round(median(empty))} ms`,
  }
  const thirty = await time(async () => {
    await kubectl(['apply', '-f', '-'], JSON.stringify(deployment('thirty', 30)))
    await until(
      async () => (await server('/apis/apps/v1/namespaces/default/deployments/thirty')).status?.readyReplicas === 30,
      '30 pods Ready',
    )
  })
  yield { name: '30 pods Ready after kubectl apply', value: thirty / 1000, unit: 's', limit: 5 }
}

async function applyUntilReady(kubectl, server, name) {
  await kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec }))
  await until(async () => {
    const pod = await server(`/api/v1/namespaces/default/pods/${name}`)
    return pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True')
  }, `pod ${name} Ready`)
}

const spec = {
  terminationGracePeriodSeconds: 0,
  containers: [{ name: 'c', image: 'busybox', command: ['sleep', 'infinity'] }],
}

function deployment(name, replicas) {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: { replicas, selector: { matchLabels: { name } }, template: { metadata: { labels: { name } }, spec } },
  }
}

function kubectlFor(kubeconfig) {
  const real = isInstalled('kubectl')
  const [command, first] = real ? ['kubectl', []] : [process.execPath, [dinghy, 'kubectl']]
  const call = (args, input) => {
    const child = run(command, [...first, ...args], { env: { ...process.env, KUBECONFIG: kubeconfig } })
    child.child.stdin.end(input)
    return child
  }
  return Object.defineProperty(call, 'name', { value: real ? 'kubectl' : 'dinghy kubectl' })
}

/** Answers paths with JSON, by way of the admin socket: what is measured is the cluster, not this client. */
function apiServer(kubeconfig) {
  const socketPath = join(dirname(kubeconfig), 'kubernetes-admin.sock')
  return (path) =>
    new Promise((resolve, reject) => {
      const sent = get({ socketPath, path }, (response) => {
        const chunks = []
        response.on('data', (chunk) => chunks.push(chunk))
        response.on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString())))
        response.on('error', reject)
      })
      sent.on('error', reject)
    })
}

function parentOf(pid) {
  return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1])
}

function cpuTicks(pids) {
  const ticks = (pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
    return Number(fields[11]) + Number(fields[12])
  }
  return pids.reduce((sum, pid) => sum + ticks(pid), 0)
}

function pssMb(pids) {
  const pss = (pid) => Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1])
  return pids.reduce((sum, pid) => sum + pss(pid), 0) / 1024
}
