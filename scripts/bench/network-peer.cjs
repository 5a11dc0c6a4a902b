/**
 * Both ends of the network benchmark, so that each may run in a network namespace of its own.
 *
 *   node network-peer.cjs serve PORT...                        answers every 64 bytes with 64 bytes
 *   node network-peer.cjs kept HOST PORT SECONDS               questions a second over 16 connections that stay
 *   node network-peer.cjs new HOST PORT SECONDS                questions a second, a connection each, 16 at once
 *   node network-peer.cjs dns HOST PORT SECONDS NAME           {rate, p99Ms} of 16 questions at once
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
      socket.on('data', () => socket.write(message))
    })
    server.listen(Number(port), '0.0.0.0')
  }
}

/** `ask` is called by so many at once until the time is over; the first tenth is not counted. */
async function rate(seconds, ask) {
  const start = performance.now()
  const from = start + seconds * 100
  const end = start + seconds * 1_100
  let count = 0
  const work = async (_, worker) => {
    while (performance.now() < end) {
      await ask(worker)
      if (performance.now() >= from) count += 1
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return count / seconds
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
  print(await rate(Number(seconds), (worker) => exchange(sockets[worker])))
}

async function fresh(host, port, seconds) {
  print(
    await rate(Number(seconds), async () => {
      const socket = await opened(host, port)
      await exchange(socket)
      // A reset: the benchmark must not run out of ports.
      socket.resetAndDestroy()
    }),
  )
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
  const asked = await rate(Number(seconds), (worker) => {
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
