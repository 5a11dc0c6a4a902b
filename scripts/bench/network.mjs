/**
 * The network's numbers, where nodes are machines: what a Service costs beside its pod's own address, how quick DNS is,
 * what plugging in a pod adds to its start. Ways that are compared take turns, over different ports of one server, so
 * that neither the machine's load nor connections that the kernel still remembers count for one of them alone; and what
 * is compared is processor time, because with two busy cores the rate is whatever the others leave.
 */

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../bootstrap.mjs'
import { median, run, time, until } from './measure.mjs'

const dinghy = join(root, 'packages/cli/bin/dinghy.mjs')
const peer = join(root, 'scripts/bench/network-peer.cjs')
const seconds = 1.5
const rounds = 5
const ports = { direct: 8080, clusterIp: 8081, nodePort: 8082 }

export async function* measure() {
  const missing = ['ip', 'nsenter', 'nft'].find((tool) => spawnSync('which', [tool]).status !== 0)
  if (process.getuid() !== 0 || missing) {
    console.error(`network: skipped, needs ${missing ?? 'root'}`)
    return
  }
  const stateDir = await mkdtemp(join(tmpdir(), 'dinghy-bench-'))
  const cli = (...args) => run(process.execPath, [dinghy, ...args, '--state-dir', stateDir])
  try {
    await cli('up', '--detach', '--nodes', '2', '--network', 'machines')
    const env = { ...process.env, KUBECONFIG: join(stateDir, 'kubeconfig') }
    const kubectl = (args, input = '') => {
      const child = run(process.execPath, [dinghy, 'kubectl', ...args], { env })
      child.child.stdin.end(input)
      return child.then(({ stdout }) => stdout)
    }
    yield* services(kubectl, stateDir)
    yield* names(kubectl, stateDir)
    yield* plugs(kubectl)
  } finally {
    await cli('down', '--wipe')
    await rm(stateDir, { recursive: true, force: true })
  }
}

async function* services(kubectl, stateDir) {
  const program = readFileSync(peer, 'utf8')
  const command = ['node', '-e', program, 'serve', 'serve', ...Object.values(ports).map(String)]
  await kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: served(command) }))
  const pod = await ready(kubectl, 'server')
  const clusterIp = (await object(kubectl, 'service', 'server')).spec.clusterIP
  const nodePort = (await object(kubectl, 'service', 'server-port')).spec.ports[0].nodePort
  const node = (await object(kubectl, 'node', 'node-1')).status.addresses.find(({ type }) => type === 'InternalIP')
  const inNode = ['nsenter', `--net=${join(stateDir, 'machines', 'node-1')}`]
  const ways = {
    'ClusterIP, from another node': { place: inNode, host: clusterIp, port: 80, direct: ports.direct },
    'NodePort, from the machine': { place: [], host: node.address, port: nodePort, direct: ports.direct },
  }
  for (const [name, { place, host, port, direct }] of Object.entries(ways)) {
    for (const [verb, what] of [
      ['kept', 'questions over kept connections'],
      ['new', 'new connections'],
    ]) {
      const through = []
      const beside = []
      for (let i = 0; i < rounds; i += 1) {
        beside.push(await ask(place, verb, pod.status.podIP, direct))
        through.push(await ask(place, verb, host, port))
      }
      const rates = [through, beside].map((all) => Math.round(median(all.map((one) => one.rate))))
      yield {
        name: `${name}: ${what} per CPU second, of direct`,
        value: median(through.map(({ cpuUs }, i) => beside[i].cpuUs / cpuUs)),
        unit: '×',
        atLeast: 0.95,
        comparison: `${rates[0]} a second, direct ${rates[1]}`,
      }
    }
  }
}

function served(command) {
  const containers = [{ name: 'main', image: 'node', command }]
  const service = (name, type, targetPort) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { type, selector: { app: 'server' }, ports: [{ port: 80, targetPort }] },
  })
  return [
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'server', labels: { app: 'server' } },
      spec: { containers, nodeName: 'node-2', terminationGracePeriodSeconds: 0 },
    },
    service('server', 'ClusterIP', ports.clusterIp),
    service('server-port', 'NodePort', ports.nodePort),
  ]
}

async function ask(place, ...words) {
  const [command, ...args] = [...place, process.execPath, peer, ...words.map(String), String(seconds)]
  return JSON.parse((await run(command, args)).stdout)
}

async function* names(kubectl, stateDir) {
  const { clusterIP } = (await object(kubectl, 'service', 'kube-dns', 'kube-system')).spec
  const command = ['--net=' + join(stateDir, 'machines', 'node-1'), process.execPath, peer, 'dns', clusterIP, '53']
  const name = 'kubernetes.default.svc.cluster.local'
  const answers = []
  for (let i = 0; i < rounds; i += 1) {
    answers.push(JSON.parse((await run('nsenter', [...command, String(seconds), name])).stdout))
  }
  const rate = median(answers.map((answer) => answer.rate))
  yield { name: 'DNS: questions about a Service, 16 at once', value: rate, unit: '/s', atLeast: 5_000 }
  yield {
    name: 'DNS: the slowest of a hundred',
    value: median(answers.map(({ p99Ms }) => p99Ms)),
    unit: 'ms',
    limit: 5,
  }
}

/** A pod of the node's own network needs no cable: the difference is what plugging in costs. */
async function* plugs(kubectl) {
  const took = { plugged: [], bare: [] }
  for (let i = 0; i <= 10; i += 1) {
    for (const hostNetwork of [false, true]) {
      const name = `plug-${i}-${hostNetwork}`
      const spec = {
        hostNetwork,
        nodeName: 'node-1',
        terminationGracePeriodSeconds: 0,
        containers: [{ name: 'c', image: 'busybox', command: ['sleep', 'infinity'] }],
      }
      const pod = JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec })
      const ms = await time(async () => {
        await kubectl(['apply', '-f', '-'], pod)
        await ready(kubectl, name)
      })
      // The first pair also makes the image.
      if (i > 0) took[hostNetwork ? 'bare' : 'plugged'].push(ms)
    }
  }
  yield {
    name: "plugging in a pod: to Ready, beyond one of the node's network",
    value: median(took.plugged) - median(took.bare),
    unit: 'ms',
    limit: 15,
    comparison: `${Math.round(median(took.plugged))} and ${Math.round(median(took.bare))} ms, with kubectl`,
  }
}

async function object(kubectl, kind, name, namespace = 'default') {
  return JSON.parse(await kubectl(['get', kind, name, '-n', namespace, '-o', 'json']))
}

async function ready(kubectl, name) {
  return await until(async () => {
    const pod = await object(kubectl, 'pod', name)
    return pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') && pod
  }, `pod ${name} Ready`)
}
