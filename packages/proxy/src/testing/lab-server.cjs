/** `node lab-server.cjs NAME t8080 u53`: answers whoever connects (t) or sends (u) with "NAME saw ADDRESS". */

const { createSocket } = require('node:dgram')
const { createServer } = require('node:net')

const [name, ...ports] = process.argv.slice(2)
let waiting = ports.length

function isUp() {
  waiting -= 1
  if (waiting === 0) process.stdout.write('up\n')
}

for (const text of ports) {
  const port = Number(text.slice(1))
  if (text.startsWith('t')) {
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy())
      socket.write(`${name} saw ${socket.remoteAddress}\n`)
      socket.pipe(socket)
    })
    server.listen(port, '0.0.0.0', isUp)
  } else {
    const socket = createSocket('udp4')
    socket.on('message', (_message, { address, port: from }) => socket.send(`${name} saw ${address}`, from, address))
    socket.bind(port, '0.0.0.0', isUp)
  }
}
