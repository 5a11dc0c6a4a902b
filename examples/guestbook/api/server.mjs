// The guestbook's API: a list of entries over HTTP, kept in an append-only file.
//
//   GET  /entries           → { entries: [{ name, message, at }], servedBy }
//   POST /entries           ← { name, message }          → 201 and the entry
//   GET  /healthz           → 200 once the file has been read
//
// The file is read once at the start and then only appended to: a killed container loses nothing it had acknowledged.

import { createServer } from 'node:http'
import { appendFile, mkdir, readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'

const port = Number(process.env.PORT ?? 8080)
const directory = process.env.DATA_DIR ?? './data'
const file = join(directory, 'entries.jsonl')
const pod = process.env.POD_NAME ?? hostname()
const node = process.env.NODE_NAME ?? 'this machine'

await mkdir(directory, { recursive: true })
const entries = (await readFile(file, 'utf8').catch(emptyIfMissing))
  .split('\n')
  .filter(Boolean)
  .map((line) => JSON.parse(line))
console.log(`read ${entries.length} entries from ${file}`)

const server = createServer(async (request, response) => {
  try {
    const { status, body } = await answer(request)
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  } catch (error) {
    const status = error instanceof BadRequest ? 400 : 500
    if (status === 500) console.error(error)
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ error: error.message }))
  }
})

async function answer(request) {
  const { pathname } = new URL(request.url, 'http://api')
  if (pathname === '/healthz') return { status: 200, body: { ok: true } }
  if (pathname !== '/entries') return { status: 404, body: { error: 'no such page' } }
  if (request.method === 'GET') return { status: 200, body: { entries, servedBy: { pod, node } } }
  if (request.method !== 'POST') return { status: 405, body: { error: 'GET or POST' } }
  const entry = { ...check(await readJson(request)), at: new Date().toISOString() }
  await appendFile(file, `${JSON.stringify(entry)}\n`)
  entries.push(entry)
  console.log(`${entry.name} signed the guestbook`)
  return { status: 201, body: entry }
}

class BadRequest extends Error {}

function check({ name, message }) {
  if (typeof name !== 'string' || !name.trim()) throw new BadRequest('please say who you are')
  if (typeof message !== 'string' || !message.trim()) throw new BadRequest('please write something')
  if (name.length > 60 || message.length > 500) throw new BadRequest('that is more than fits on the page')
  return { name: name.trim(), message: message.trim() }
}

async function readJson(request) {
  let text = ''
  for await (const chunk of request) {
    text += chunk
    if (text.length > 10_000) throw new BadRequest('that is more than fits on the page')
  }
  try {
    return JSON.parse(text)
  } catch {
    throw new BadRequest('the request is not JSON')
  }
}

function emptyIfMissing(error) {
  if (error.code === 'ENOENT') return ''
  throw error
}

server.listen(port, () => console.log(`guestbook API on port ${port}, pod ${pod} on ${node}`))

// Kubernetes says SIGTERM and waits: stop accepting, let running requests finish, then go.
process.on('SIGTERM', () => {
  server.close(() => process.exit(0))
  server.closeIdleConnections()
})
