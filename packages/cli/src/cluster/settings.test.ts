import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryState } from '../testing/temporary-state.ts'
import { clusterFileOf, readClusterFile } from './cluster-file.ts'
import { diskTrouble } from './disk.ts'
import { mergeSettings, parseSetting, settingsFor, settingsOf } from './settings.ts'

test('reads COMPONENT.FLAG=VALUE, whatever the value has in it', () => {
  expect(parseSetting('node-agent-node-2.cluster-dns=1.2.3.4,a=b')).toEqual({
    component: 'node-agent-node-2',
    flag: 'cluster-dns',
    value: '1.2.3.4,a=b',
  })
  for (const wrong of ['', 'controller', 'controller.x', 'x=y', '.x=y', 'Controller.x=y'])
    expect(() => parseSetting(wrong)).toThrow('COMPONENT.FLAG=VALUE')
})

test('later settings count more, flag by flag; an empty one takes a setting back', () => {
  const before = { controller: { a: '1', b: '2' }, proxy: { c: '3' } }
  const later = settingsOf(['controller.a=9', 'proxy.c=', 'scheduler.d=4', 'scheduler.d=5'])
  expect(mergeSettings(before, later)).toEqual({ controller: { a: '9', b: '2' }, scheduler: { d: '5' } })
  expect(mergeSettings(before, settingsOf([]))).toEqual(before)
  expect(settingsFor({ proxy: { a: '1' }, 'proxy-node-1': { a: '2' } }, 'proxy', 'proxy-node-1')).toEqual({ a: '2' })
})

test('a dinghy.yaml becomes what up is told', async () => {
  const path = join(temporaryState().root, 'dinghy.yaml')
  writeFileSync(path, 'nodes: 5\nlogLevel: debug\nsettings:\n  node-agent: {cluster-dns: [a, b], relist-period: 9s}\n')
  expect(await readClusterFile(path)).toEqual({
    nodes: '5',
    logLevel: 'debug',
    settings: { 'node-agent': { 'cluster-dns': 'a,b', 'relist-period': '9s' } },
  })
  writeFileSync(path, '')
  expect(await readClusterFile(path)).toEqual({})
  writeFileSync(path, '{')
  await expect(readClusterFile(path)).rejects.toThrow(`${path} cannot be read: `)
  await expect(readClusterFile('/no/such.yaml')).rejects.toThrow('ENOENT')
})

test.each([
  [{ node: 5 }, 'f: there is no "node"; it may have nodes, driver, network, logLevel, settings'],
  [[], 'f must be a map of names to values'],
  [{ nodes: {} }, 'f: nodes must be one value'],
  [{ settings: { controller: 5 } }, 'f: settings.controller must be a map'],
  [{ settings: { controller: { x: {} } } }, 'f: settings.controller.x must be one value'],
])('refuses %j', (document, message) => expect(() => clusterFileOf('f', document)).toThrow(message))

test('a disk with little room left is told', () => {
  expect(diskTrouble('/s', () => 1 << 30)).toBeUndefined()
  expect(diskTrouble('/s', () => 5 << 20)).toBe('the disk of /s is full (5 MiB left): make room there')
  expect(diskTrouble('/')).toEqual(expect.toSatisfy((text) => text === undefined || typeof text === 'string'))
})
