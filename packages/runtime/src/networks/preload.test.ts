import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'

const preload = new URL('./preload.cjs', import.meta.url).pathname
const address = '127.77.0.5'

function run(program: string, ...flags: string[]): Promise<string> {
  return node(...flags, '-e', program)
}

/** Runs node as in a container at address and gives what it prints. */
async function node(...args: string[]): Promise<string> {
  const env = { PATH: process.env['PATH'], DINGHY_IP: address, NODE_OPTIONS: `--require=${preload}` }
  const { stdout } = await promisify(execFile)(process.execPath, args, { env })
  return stdout.trim()
}

const onLinux = test.runIf(process.platform === 'linux')

onLinux.each([
  ['no host', 'listen(0)', address],
  ['0.0.0.0', "listen(0, '0.0.0.0')", address],
  ['::', "listen(0, '::')", address],
  ['an explicit address', "listen(0, '127.0.0.1')", '127.0.0.1'],
])('a server on %s', async (_name, listen, expected) => {
  const program = `const s = require('http').createServer().${listen}; s.on('listening', () => { console.log(s.address().address); s.close() })`
  expect(await run(program)).toBe(expected)
})

onLinux('modules and clusters are pinned too', async () => {
  const esm =
    "import net from 'node:net'; const s = net.createServer().listen(0, () => { console.log(s.address().address); s.close() })"
  expect(await run(esm, '--input-type=module')).toBe(address)
  const directory = mkdtempSync(join(tmpdir(), 'cluster-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const file = join(directory, 'main.cjs')
  writeFileSync(
    file,
    `const c = require('cluster')
    if (c.isPrimary) c.fork().on('message', (m) => { console.log(m); process.exit() })
    else { const s = require('net').createServer().listen(0, () => process.send(s.address().address)) }`,
  )
  expect(await node(file)).toBe(address)
})

onLinux('a client comes from the address, and finds at localhost what listens on it', async () => {
  const program = `const net = require('net')
    const s = net.createServer((c) => { console.log(c.remoteAddress, c.localAddress); c.destroy(); s.close() })
    s.listen(0, () => net.connect(s.address().port, 'localhost'))`
  expect(await run(program)).toBe(`${address} ${address}`)
})

onLinux('datagram sockets', async () => {
  const program = `const s = require('dgram').createSocket('udp4'); s.bind(0, '127.0.0.1', () => {
    const t = require('dgram').createSocket('udp4'); t.bind(45333, () => { console.log(t.address().address); t.close(); s.close() }) })`
  expect(await run(program)).toBe(address)
})
