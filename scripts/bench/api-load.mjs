/**
 * The client of the API's numbers: does one task, which is a JSON document in its argument, and prints what it measured
 * as JSON. It writes HTTP/1.1 on its connections by itself, so that it takes as little of the machine as can be.
 */

import { connect as connectTcp } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { cpuMs } from './measure.mjs'

const task = JSON.parse(process.argv[2])
const { hostname, port, protocol } = new URL(task.server)
const tasks = { prepare, throughput, fill, list, watchers }
console.log(JSON.stringify(await tasks[task.task](task)))
process.exit(0)

/** An administrator's part: the namespaces, in which an ordinary user may edit. */
async function prepare({ namespaces, user }) {
  const administrator = await open()
  const post = (target, body) => administrator.send('POST', target, JSON.stringify(body))
  for (const name of namespaces) {
    if (name !== 'default')
      await post('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
    await post(`/apis/rbac.authorization.k8s.io/v1/namespaces/${name}/rolebindings`, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: user },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user }],
    })
  }
  return { namespaces }
}

/**
 * Requests of one kind for some seconds, each connection one after the other, behind `warmUp` on each that do not
 * count: V8 takes thousands of requests to compile a path well, which a slow machine would not see in time. `pid` is
 * the server's: how much processor time it took is what a busy machine cannot falsify.
 */
async function throughput({ verb, seconds, connections, prefix, pid, warmUp = 0 }) {
  const all = await Promise.all(Array.from({ length: connections }, open))
  const names = all.map((_connection, i) => `${prefix}-${i}`)
  if (verb !== 'create') {
    await Promise.all(all.map((connection, i) => connection.send('POST', path(), configMap(names[i], 1000))))
  }
  await Promise.all(
    all.map(async (connection, i) => {
      for (let n = 0; n < warmUp; n++) await one(connection, verb, names[i], n)
    }),
  )
  const endAt = performance.now() + seconds * 1000
  const taken = []
  const startedAt = performance.now()
  const cpuBefore = cpuMs(pid)
  await Promise.all(
    all.map(async (connection, i) => {
      for (let n = warmUp; performance.now() < endAt; n++) {
        const sentAt = performance.now()
        await one(connection, verb, names[i], n)
        taken.push(performance.now() - sentAt)
      }
    }),
  )
  const elapsed = (performance.now() - startedAt) / 1000
  const cpuUs = ((cpuMs(pid) - cpuBefore) * 1000) / taken.length
  return { perSecond: taken.length / elapsed, cpuUs, p99Ms: percentile(taken, 0.99) }
}

function one(connection, verb, name, n) {
  if (verb === 'create') return connection.send('POST', path(), configMap(`${name}-${n}`, 1000))
  if (verb === 'get') return connection.send('GET', `${path()}/${name}`)
  if (verb === 'update') return connection.send('PUT', `${path()}/${name}`, configMap(name, 1000, n))
  const patch = JSON.stringify({ data: { n: String(n) } })
  return connection.send('PATCH', `${path()}/${name}`, patch, 'application/merge-patch+json')
}

async function fill({ namespace, count, bytes }) {
  const all = await Promise.all(Array.from({ length: 32 }, open))
  let next = 0
  await Promise.all(
    all.map(async (connection) => {
      while (next < count) await connection.send('POST', path(namespace), configMap(`filled-${next++}`, bytes))
    }),
  )
  return { count }
}

async function list({ namespace, form, times }) {
  const connection = await open()
  const accept = form === 'table' ? 'application/json;as=Table;v=v1;g=meta.k8s.io' : 'application/json'
  const taken = []
  let bytes = 0
  for (let i = 0; i < times; i++) {
    const sentAt = performance.now()
    bytes = (await connection.send('GET', path(namespace), undefined, undefined, accept)).length
    taken.push(performance.now() - sentAt)
  }
  return { medianMs: percentile(taken, 0.5), bytes }
}

/** How long after it was sent does a write reach the watchers? All clocks are this process's own. */
async function watchers({ namespace, watchers: count, eventsPerSecond, seconds, pid }) {
  const writer = await open()
  // With another number than the first event's, which would else change nothing and be no event.
  const { body } = await writer.send('POST', path(namespace), configMap('watched', 100, -1))
  const revision = JSON.parse(body).metadata.resourceVersion
  const sentAt = []
  const delays = []
  const seen = (line) => {
    const n = /"n":"(\d+)"/.exec(line)?.[1]
    if (n !== undefined) delays.push(performance.now() - sentAt[Number(n)])
  }
  const all = await Promise.all(Array.from({ length: count }, open))
  const query = `?watch=true&resourceVersion=${revision}`
  await Promise.all(all.map((connection) => connection.stream(`${path(namespace)}${query}`, seen)))
  const total = eventsPerSecond * seconds
  const cpuBefore = cpuMs(pid)
  const startedAt = performance.now()
  const writers = await Promise.all(Array.from({ length: 8 }, open))
  for (let n = 0; n < total; n++) {
    const dueMs = startedAt + (n * 1000) / eventsPerSecond - performance.now()
    if (dueMs > 1) await new Promise((resolve) => setTimeout(resolve, dueMs))
    sentAt[n] = performance.now()
    const patch = JSON.stringify({ data: { n: String(n) } })
    void writers[n % 8].send('PATCH', `${path(namespace)}/watched`, patch, 'application/merge-patch+json')
  }
  const expected = total * count
  const giveUpAt = performance.now() + 5_000
  while (delays.length < expected && performance.now() < giveUpAt)
    await new Promise((resolve) => setTimeout(resolve, 20))
  const share = ((cpuMs(pid) - cpuBefore) / (performance.now() - startedAt)) * 100
  return { p99Ms: percentile(delays, 0.99), delivered: delays.length, expected, share }
}

function path(namespace = 'default') {
  return `/api/v1/namespaces/${namespace}/configmaps`
}

function configMap(name, bytes, n = 0) {
  const data = { text: 'x'.repeat(bytes - 100), n: String(n) }
  return JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data })
}

/** A connection on which requests follow one another; those sent meanwhile wait their turn. */
async function open() {
  const socket =
    protocol === 'https:'
      ? connectTls({ host: hostname, port, ca: task.ca, cert: task.cert, key: task.key, servername: 'localhost' })
      : connectTcp({ host: hostname, port })
  await new Promise((resolve, reject) => {
    socket.once(protocol === 'https:' ? 'secureConnect' : 'connect', resolve)
    socket.once('error', reject)
  })
  socket.setNoDelay(true)
  let before = Promise.resolve()
  const write = (method, target, body, type = 'application/json', accept = 'application/json') => {
    const length = body === undefined ? '' : `content-type: ${type}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`
    socket.write(`${method} ${target} HTTP/1.1\r\nhost: ${hostname}:${port}\r\naccept: ${accept}\r\n${length}\r\n`)
    if (body !== undefined) socket.write(body)
  }
  return {
    send(...request) {
      const sent = before.then(() => {
        const answered = answer(socket)
        write(...request)
        return answered
      })
      before = sent.then(() => undefined)
      return sent
    },
    /** Resolves when the stream has begun. */
    stream(target, onLine) {
      let rest = ''
      return new Promise((resolve) => {
        socket.on('data', (chunk) => {
          resolve()
          const lines = (rest + chunk).split('\n')
          rest = lines.pop()
          for (const line of lines) if (line.startsWith('{')) onLine(line)
        })
        write('GET', target)
      })
    },
  }
}

/** One answer: its body by content-length or in chunks. */
function answer(socket) {
  return new Promise((resolve, reject) => {
    let chunks = []
    let size = 0
    let head
    const onData = (chunk) => {
      chunks.push(chunk)
      size += chunk.length
      if (!head) {
        const text = (chunks.length === 1 ? chunk : Buffer.concat(chunks)).toString('latin1')
        const end = text.indexOf('\r\n\r\n')
        if (end < 0) return
        const length = /\r\ncontent-length: (\d+)/i.exec(text)?.[1]
        head = { status: Number(text.slice(9, 12)), size: end + 4, length: length && Number(length) }
        if (head.status >= 400) return done(new Error(text))
      }
      if (head.length === undefined ? endsChunked(chunk) : size >= head.size + head.length) done()
    }
    const done = (error) => {
      socket.off('data', onData)
      if (error) return reject(error)
      const length = size - head.size
      resolve({
        length,
        get body() {
          return Buffer.concat(chunks).subarray(head.size).toString()
        },
      })
    }
    socket.on('data', onData)
  })
}

function endsChunked(chunk) {
  return chunk.subarray(-5).toString('latin1') === '0\r\n\r\n'
}

function percentile(values, share) {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Infinity
}
