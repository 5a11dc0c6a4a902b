import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { DamagedConfig, StateDir } from './state-dir.ts'

let state: StateDir
beforeEach(() => (state = new StateDir(mkdtempSync(join(tmpdir(), 'state-dir-')))))
afterEach(() => rmSync(state.root, { recursive: true }))

const config = { cluster: 'two', slot: 1, apiPort: 6443, driver: 'auto', nodes: [{ name: 'node-1', stopped: true }] }

test('reads what it wrote, and nothing before the first write', () => {
  expect(state.readConfig()).toBeUndefined()
  state.writeConfig(config)
  expect(state.readConfig()).toEqual(config)
})

test.each([
  '',
  '{"clu',
  '[]',
  'null',
  JSON.stringify({ ...config, apiPort: 'x' }),
  JSON.stringify({ ...config, nodes: [{}] }),
])('says that a file with %j is damaged', (text) => {
  writeFileSync(state.config, text)
  expect(() => state.readConfig()).toThrow(DamagedConfig)
})

test('says which file stands where a directory should be', () => {
  writeFileSync(join(state.root, 'file'), '')
  expect(() => new StateDir(join(state.root, 'file/x')).create()).toThrow('ENOTDIR')
})

test('refuses a directory in which something has one of its names, since wiping the cluster would take it away', () => {
  mkdirSync(join(state.root, 'logs'))
  expect(() => state.create()).toThrow("logs is there already, and no cluster's")
  rmSync(join(state.root, 'logs'), { recursive: true })
  state.create()
  // Killed before it had written cluster.json, an `up` may try again.
  writeFileSync(state.log('supervisor'), '')
  state.create()
})

test('wiping leaves what is not the cluster’s', async () => {
  const other = new StateDir(join(state.root, 'other'))
  other.create()
  other.writeConfig(config)
  for (const name of ['state.db-wal', 'kubeconfig', 'logs/api-server.log']) writeFileSync(join(other.root, name), '')
  writeFileSync(join(other.root, 'thesis.txt'), '')
  expect(await other.wipe()).toEqual(['thesis.txt'])
  expect(readdirSync(other.root)).toEqual(['thesis.txt'])
  rmSync(join(other.root, 'thesis.txt'))
  other.create()
  expect(await other.wipe()).toEqual([])
  expect(existsSync(other.root)).toBe(false)
})

test('keeps socket paths short enough for the kernel, however deep it lies', () => {
  const deep = new StateDir(join('/', 'deep/'.repeat(60)))
  expect(Buffer.byteLength(deep.dockerSocket)).toBeLessThan(104)
  expect(new StateDir('/short').dockerSocket).toBe('/short/docker.sock')
})
