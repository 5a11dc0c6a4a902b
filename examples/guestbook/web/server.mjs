// The guestbook's front end: serves the page and passes /api on to the API's Service.
//
//   GET  /           the page          GET /whoami   which pod and node answered
//   any  /api/…      → $API_URL/…      GET /healthz  200

import { createServer, request as httpRequest } from 'node:http'
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'

const port = Number(process.env.PORT ?? 8080)
const api = process.env.API_URL ?? 'http://localhost:8081'
const greeting = process.env.GREETING ?? 'Ahoy!'
const pod = process.env.POD_NAME ?? hostname()
const node = process.env.NODE_NAME ?? 'this machine'

const page = (await readFile(new URL('public/index.html', import.meta.url), 'utf8')).replaceAll(
  '{{greeting}}',
  escape(greeting),
)

const server = createServer((request, response) => {
  const { pathname, search } = new URL(request.url, 'http://web')
  if (pathname === '/') return send(response, 200, 'text/html; charset=utf-8', page)
  if (pathname === '/healthz') return send(response, 200, 'text/plain', 'ok\n')
  if (pathname === '/whoami') return send(response, 200, 'application/json', JSON.stringify({ pod, node }))
  if (pathname.startsWith('/api/')) return forward(request, response, pathname.slice('/api'.length) + search)
  return send(response, 404, 'text/plain', 'no such page\n')
})

function forward(request, response, path) {
  const { host: _host, ...headers } = request.headers
  const upstream = httpRequest(api + path, { method: request.method, headers, agent: false }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers)
    answer.pipe(response)
  })
  upstream.on('error', (error) => {
    console.error(`${api}${path}: ${error.message}`)
    if (response.headersSent) response.destroy()
    else send(response, 502, 'application/json', JSON.stringify({ error: 'the guestbook is out at sea; try again' }))
  })
  request.pipe(upstream)
}

function send(response, status, type, body) {
  response.writeHead(status, { 'content-type': type }).end(body)
}

function escape(text) {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`)
}

server.listen(port, () => console.log(`guestbook page on port ${port}, pod ${pod} on ${node}, API at ${api}`))

process.on('SIGTERM', () => {
  server.close(() => process.exit(0))
  server.closeIdleConnections()
})
