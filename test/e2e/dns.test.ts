/**
 * Names of Services and pods, asked for from inside a pod as programs ask.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Cluster } from './harness/cluster.ts'

/** DNS asks port 53, which an ordinary user may not listen on. */
const mayListen = process.getuid?.() === 0

const manifests = `
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, selector: {app: db}, ports: [{name: sql, port: 5432}]}
---
apiVersion: v1
kind: Service
metadata: {name: far}
spec: {type: ExternalName, externalName: kubernetes.default.svc.cluster.local}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 2
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - {name: db, image: node, command: [node, -e, 'setInterval(() => {}, 1000)']}
`

describe.skipIf(!mayListen)('cluster DNS', () => {
  const cluster = new Cluster(2)
  beforeAll(() => {
    cluster.up()
    const { code, stderr } = cluster.kubectl(['apply', '-f', '-'], manifests)
    expect([code, stderr]).toEqual([0, ''])
    cluster.kubectl(['rollout', 'status', 'statefulset/db', '--timeout=120s'])
  }, 180_000)
  afterAll(() => cluster.destroy())

  /** What an expression of node:dns/promises comes to in the pod db-0, or the code of its error. */
  function resolve(expression: string): unknown {
    const script = `const dns = require('node:dns').promises
      ${expression}.then((found) => console.log(JSON.stringify(found)), ({ code }) => console.log(JSON.stringify(code)))`
    const { stdout, stderr } = cluster.kubectl(['exec', 'db-0', '--', 'node', '-e', script])
    return stdout === '' ? stderr : JSON.parse(stdout)
  }

  async function addressOf(pod: string): Promise<string> {
    return (await cluster.core.readNamespacedPod({ name: pod, namespace: 'default' })).status?.podIP ?? ''
  }

  test('a Service by its short name, as programs look it up', async () => {
    const { spec } = await cluster.core.readNamespacedService({ name: 'kubernetes', namespace: 'default' })
    expect(resolve("dns.lookup('kubernetes')")).toEqual({ address: spec?.clusterIP, family: 4 })
    expect(resolve("dns.resolve4('far.default.svc.cluster.local')")).toEqual([spec?.clusterIP])
  })

  test('the pods of a StatefulSet by their own names, and all behind its Service', async () => {
    const addresses = await Promise.all(['db-0', 'db-1'].map(addressOf))
    expect(resolve("dns.lookup('db-1.db')")).toEqual({ address: addresses[1], family: 4 })
    expect((resolve("dns.resolve4('db.default.svc.cluster.local')") as string[]).toSorted()).toEqual(
      addresses.toSorted(),
    )
    expect(resolve(`dns.reverse('${addresses[1]}')`)).toEqual(['db-1.db.default.svc.cluster.local'])
    const found = resolve("dns.resolveSrv('_sql._tcp.db.default.svc.cluster.local')") as {
      name: string
      port: number
    }[]
    expect(found.map(({ name, port }) => `${name}:${port}`).toSorted()).toEqual([
      'db-0.db.default.svc.cluster.local:5432',
      'db-1.db.default.svc.cluster.local:5432',
    ])
  })

  test('a name that is not there', () => {
    expect(resolve("dns.resolve4('none.default.svc.cluster.local')")).toBe('ENOTFOUND')
  })

  test('the server comes back when it is killed', async () => {
    process.kill(cluster.pid('dns'), 'SIGKILL')
    await expect
      .poll(() => resolve("dns.lookup('kubernetes').then(({ family }) => family)"), { timeout: 60_000, interval: 200 })
      .toBe(4)
  })
})
