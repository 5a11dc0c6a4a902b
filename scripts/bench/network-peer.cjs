/**
 * Both ends of the network benchmark, so that each may run in a network namespace of its own.
 *
 *   node network-peer.cjs serve PORT...                  answers every 64 bytes with 64 bytes, "cpu" with what it used
 *   node network-peer.cjs kept HOST PORT SECONDS         {rate, cpuUs}: questions over 16 connections that stay
 *   node network-peer.cjs new HOST PORT SECONDS          {rate, cpuUs}: a connection for each question, 16 at once
 *   node network-peer.cjs dns HOST PORT SECONDS NAME     {rate, p99Ms}: 16 questions at once
 *
 * cpuUs is the processor time of a question at both ends, the kernel's work for them included: on cables between
 * network namespaces whoever sends does the work of the whole way. Unlike the rate it hardly depends on who else is
 * busy.
 */

const { createSocket } = require('node:dgram')
const { connect, createServer } = require('node:net')

const atOnce = 16
const message = Buffer.alloc(64, 'x')
const [verb, ...words] = process.argv.slice(2)
const verbs = { serve, kept, new: fresh, dns }
void verbs[verb](...words)

function serve(...ports) {
  for (const port of ports) {
    const server = createServer({ noDelay: true }, (socket) => {
      socket.on('error', () => socket.destroy())
      socket.on('data', (data) => socket.write(data.toString() === 'cpu' ? `${usedUs()} ` : message))
    })
    server.listen(Number(port), '0.0.0.0')
  }
}

function usedUs() {
  const { user, system } = process.cpuUsage()
  return user + system
}

async function usedByServer(host, port) {
  const socket = await opened(host, port)
  const answer = new Promise((resolve) => socket.once('data', (data) => resolve(Number(data))))
  socket.write('cpu')
  const used = await answer
  socket.destroy()
  return used
}

/** Prints the rate, and the processor time of each question. */
async function withCpu(host, port, seconds, ask) {
  const before = usedUs() + (await usedByServer(host, port))
  const { rate: asked, all } = await rate(Number(seconds), ask)
  const used = usedUs() + (await usedByServer(host, port)) - before
  print({ rate: asked, cpuUs: used / all })
}

/** `ask` is called by so many at once until the time is over; the first tenth is not counted. */
async function rate(seconds, ask) {
  const start = performance.now()
  const from = start + seconds * 100
  const end = start + seconds * 1_100
  let count = 0
  let all = 0
  const work = async (_, worker) => {
    while (performance.now() < end) {
      await ask(worker)
      all += 1
      if (performance.now() >= from) count += 1
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return { rate: count / seconds, all }
}

function opened(host, port) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port), noDelay: true })
    socket.once('connect', () => resolve(socket))
    socket.once('error', reject)
  })
}

function exchange(socket) {
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.once('data', () => {
      socket.removeListener('error', reject)
      resolve()
    })
    socket.write(message)
  })
}

async function kept(host, port, seconds) {
  const sockets = await Promise.all(Array.from({ length: atOnce }, () => opened(host, port)))
  await withCpu(host, port, seconds, (worker) => exchange(sockets[worker]))
}

async function fresh(host, port, seconds) {
  await withCpu(host, port, seconds, async () => {
    const socket = await opened(host, port)
    await exchange(socket)
    // A reset: the benchmark must not run out of ports.
    socket.resetAndDestroy()
  })
}

async function dns(host, port, seconds, name) {
  const taken = []
  const sockets = await Promise.all(Array.from({ length: atOnce }, () => boundTo(host, port)))
  const labels = name.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)]))
  const question = Buffer.concat([
    Buffer.from([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
    ...labels,
    Buffer.from([0, 0, 1, 0, 1]),
  ])
  const { rate: asked } = await rate(Number(seconds), (worker) => {
    const start = performance.now()
    return new Promise((resolve) => {
      sockets[worker].once('message', () => {
        taken.push(performance.now() - start)
        resolve()
      })
      sockets[worker].send(question)
    })
  })
  taken.sort((a, b) => a - b)
  print({ rate: asked, p99Ms: taken[Math.floor(taken.length * 0.99)] })
}

function boundTo(host, port) {
  return new Promise((resolve) => {
    const socket = createSocket('udp4')
    socket.connect(Number(port), host, () => resolve(socket))
  })
}

function print(result) {
  process.stdout.write(JSON.stringify(result))
  process.exit(0)
}
