/**
 * The load of bench/ingress.mjs: requests on kept connections, or on a new one for each, as fast as they are answered.
 * A process of its own, of which the parent measures the others' processor time. Prints {"requests"} as JSON.
 *
 *   node ingress-load.mjs PORT HOST SECONDS kept|new
 */

import { connect } from 'node:net'

const [port, host, seconds, kind] = process.argv.slice(2)
const connections = 32
const close = kind === 'new' ? 'Connection: close\r\n' : ''
const request = `GET / HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: bench\r\nAccept: */*\r\n${close}\r\n`
const endAt = performance.now() + Number(seconds) * 1000
let requests = 0

function ask() {
  const socket = connect({ host: '127.0.0.1', port: Number(port), noDelay: true })
  let answer = ''
  socket.write(request)
  socket.setEncoding('latin1').on('data', (chunk) => {
    answer += chunk
    // The backend's answer ends so; what stands before it differs from proxy to proxy.
    if (!answer.endsWith('backend\n')) return
    if (!answer.startsWith('HTTP/1.1 200')) throw new Error(answer)
    answer = ''
    requests += 1
    if (performance.now() > endAt) socket.destroy()
    else if (kind === 'kept') socket.write(request)
  })
  socket.on('close', () => {
    if (kind === 'new' && performance.now() < endAt) ask()
  })
  // A server that closes first may reset what is left of a connection.
  socket.on('error', () => undefined)
}

for (let count = 0; count < connections; count++) ask()
process.on('exit', () => console.log(JSON.stringify({ requests })))
