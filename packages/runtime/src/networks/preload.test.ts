import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'

const preload = new URL('./preload.cjs', import.meta.url).pathname
const ADDRESS = '127.77.0.5'

const run = (program: string, ...flags: string[]): Promise<string> => node(...flags, '-e', program)

/** Runs node as in a container at ADDRESS and gives what it prints. */
async function node(...args: string[]): Promise<string> {
  const env = { PATH: process.env['PATH'], DINGHY_IP: ADDRESS, NODE_OPTIONS: `--require=${preload}` }
  const { stdout } = await promisify(execFile)(process.execPath, args, { env })
  return stdout.trim()
}

const onLinux = test.runIf(process.platform === 'linux')

onLinux.each([
  ['no host', 'listen(0)', ADDRESS],
  ['0.0.0.0', "listen(0, '0.0.0.0')", ADDRESS],
  ['::', "listen(0, '::')", ADDRESS],
  ['an explicit address', "listen(0, '127.0.0.1')", '127.0.0.1'],
])('a server on %s', async (_name, listen, expected) => {
  const program = `const s = require('http').createServer().${listen}; s.on('listening', () => { console.log(s.address().address); s.close() })`
  expect(await run(program)).toBe(expected)
})

onLinux('modules and clusters are pinned too', async () => {
  const esm =
    "import net from 'node:net'; const s = net.createServer().listen(0, () => { console.log(s.address().address); s.close() })"
  expect(await run(esm, '--input-type=module')).toBe(ADDRESS)
  const directory = mkdtempSync(join(tmpdir(), 'cluster-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'main.cjs')
  writeFileSync(
    file,
    `const c = require('cluster')
    if (c.isPrimary) c.fork().on('message', (m) => { console.log(m); process.exit() })
    else { const s = require('net').createServer().listen(0, () => process.send(s.address().address)) }`,
  )
  expect(await node(file)).toBe(ADDRESS)
})

onLinux('a client comes from the address, and finds at localhost what listens on it', async () => {
  const program = `const net = require('net')
    const s = net.createServer((c) => { console.log(c.remoteAddress, c.localAddress); c.destroy(); s.close() })
    s.listen(0, () => net.connect(s.address().port, 'localhost'))`
  expect(await run(program)).toBe(`${ADDRESS} ${ADDRESS}`)
})

onLinux('datagram sockets', async () => {
  const program = `const s = require('dgram').createSocket('udp4'); s.bind(0, '127.0.0.1', () => {
    const t = require('dgram').createSocket('udp4'); t.bind(45333, () => { console.log(t.address().address); t.close(); s.close() }) })`
  expect(await run(program)).toBe(ADDRESS)
})
