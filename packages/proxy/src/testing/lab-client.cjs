/**
 * `node lab-client.cjs tcp|udp HOST PORT TIMES [LOCAL-PORT]`: asks so many times, one after the other (UDP: from one
 * socket), and prints what came as JSON: a server's words, "refused", "dropped" or a code.
 */

const { createSocket } = require('node:dgram')
const { once } = require('node:events')
const { connect } = require('node:net')

const silenceMs = 1_500
const [protocol, host, port, times, localPort] = process.argv.slice(2)

function askTcp() {
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port), timeout: silenceMs })
    const done = (word) => {
      resolve(word)
      socket.destroy()
    }
    socket.once('data', (data) => done(String(data).trim()))
    socket.once('timeout', () => done('dropped'))
    socket.once('error', ({ code }) => done(code === 'ECONNREFUSED' ? 'refused' : code))
  })
}

function askUdp(socket) {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve('dropped'), silenceMs)
    socket.once('message', (message) => {
      clearTimeout(timer)
      resolve(String(message))
    })
    socket.send('x')
  })
}

async function connectedUdp() {
  const socket = createSocket('udp4')
  if (localPort) socket.bind(Number(localPort))
  socket.connect(Number(port), host)
  await once(socket, 'connect')
  socket.on('error', () => undefined)
  return socket
}

async function main() {
  const socket = protocol === 'udp' ? await connectedUdp() : undefined
  const heard = []
  for (let i = 0; i < Number(times); i += 1) heard.push(await (socket ? askUdp(socket) : askTcp()))
  process.stdout.write(JSON.stringify(heard))
  socket?.close()
}

void main()
