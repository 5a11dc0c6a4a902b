import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import { EventBus } from '../events.ts'
import { Volumes } from './volumes.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'volumes-'))
})
afterEach(() => rmSync(root, { recursive: true }))

function open() {
  return new Volumes({ root, clock: new FakeClock(), events: new EventBus(new FakeClock()) })
}

test('a volume is made once, found again by the next runtime, and removed with its files', async () => {
  const volumes = open()
  const made = volumes.create({ Name: 'data', Labels: { a: 'b' } })
  expect(existsSync(made.mountpoint)).toBe(true)
  expect(volumes.create({ Name: 'data' })).toBe(made)
  const reopened = open()
  expect(reopened.get('data')).toEqual(made)
  await expect(reopened.remove('data', ['c1', 'c2'])).rejects.toThrow('remove data: volume is in use - [c1, c2]')
  await reopened.remove('data', [])
  expect(existsSync(made.mountpoint)).toBe(false)
  expect(() => reopened.get('data')).toThrow('get data: no such volume')
  await reopened.remove('data', [], true)
})

test('without a name it is anonymous', () => {
  const { name, anonymous, labels } = open().create({})
  expect(name).toMatch(/^[0-9a-f]{64}$/)
  expect([anonymous, labels]).toEqual([true, { 'com.docker.volume.anonymous': '' }])
})

test('what a killed runtime had not finished is not a volume', () => {
  mkdirSync(join(root, 'half', '_data'), { recursive: true })
  expect(open().list()).toEqual([])
})

test('a removal that was cut off is finished by the next runtime', async () => {
  mkdirSync(join(root, '.0011', '_data'), { recursive: true })
  writeFileSync(join(root, '.0011', 'volume.json'), '{"name":".0011"}')
  const volumes = open()
  expect(volumes.list()).toEqual([])
  await volumes.removeLeftovers()
  expect(readdirSync(root)).toEqual([])
})

test('the local driver serves binds and nothing else', () => {
  const device = join(root, 'elsewhere')
  expect(open().create({ Name: 'bound', DriverOpts: { type: 'none', o: 'bind', device } }).mountpoint).toBe(device)
  expect(() => open().create({ Name: 'nfs', DriverOpts: { type: 'nfs', device: ':/x' } })).toThrow('invalid option')
  expect(() => open().create({ Name: 'x', Driver: 'glusterfs' })).toThrow('plugin "glusterfs" not found')
})
