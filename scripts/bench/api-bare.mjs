/**
 * The floor of the API's numbers: a Node server that parses the JSON of a request, gives it a resourceVersion, answers
 * with it, and writes it to whoever watches. No routes, no rules, no disk. Prints where it listens.
 *
 * node api-bare.mjs PKI-DIRECTORY: with TLS and client certificates, as the cluster of that directory has them.
 */

import { existsSync, readFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { join } from 'node:path'

const [pki] = process.argv.slice(2)
const isSecure = existsSync(join(pki, 'apiserver.crt'))
/** What was answered last, by path. */
const objects = new Map()
const watchers = new Set()
let revision = 0

const server = isSecure
  ? createHttpsServer(
      { cert: read('apiserver.crt'), key: read('apiserver.key'), ca: read('ca.crt'), requestCert: true },
      serve,
    )
  : createHttpServer(serve)
server.listen(0, '127.0.0.1', () => {
  console.log(`${isSecure ? 'https' : 'http'}://127.0.0.1:${server.address().port}`)
})

function read(name) {
  return readFileSync(join(pki, name))
}

function serve(request, response) {
  if (request.method === 'GET' && request.url.includes('?watch=true')) return watch(response)
  if (request.method === 'GET') return answer(response, 200, objects.get(request.url) ?? '{}')
  const chunks = []
  request.on('data', (chunk) => chunks.push(chunk))
  request.on('end', () => {
    const sent = JSON.parse(Buffer.concat(chunks).toString())
    const whole = request.method === 'PATCH' ? merged(JSON.parse(objects.get(request.url) ?? '{}'), sent) : sent
    const metadata = { ...whole.metadata, resourceVersion: String(++revision) }
    const body = JSON.stringify({ ...whole, metadata })
    for (const watcher of watchers) watcher.write(`{"type":"MODIFIED","object":${body}}\n`)
    objects.set(request.method === 'POST' ? `${request.url}/${metadata.name}` : request.url, body)
    answer(response, request.method === 'POST' ? 201 : 200, body)
  })
}

function watch(response) {
  response.writeHead(200, { 'content-type': 'application/json' })
  response.flushHeaders()
  watchers.add(response)
  response.once('close', () => watchers.delete(response))
}

function merged(object, patch) {
  return { ...object, data: { ...object.data, ...patch.data } }
}

function answer(response, code, body) {
  response.writeHead(code, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
  response.end(body)
}
