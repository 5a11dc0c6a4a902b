import { expect, test } from 'vitest'
import { StateDir } from '../cluster/state-dir.ts'
import { someConfig } from '../testing/temporary-state.ts'
import { componentsOf, runtimeLauncher } from './components.ts'

const state = new StateDir('/s')

function flagsOf(name: string, config = {}): string[] {
  return (
    componentsOf({ ...someConfig, ...config }, state)
      .find((spec) => spec.name === name)
      ?.args.slice(1) ?? []
  )
}

test('wires the components together by the addresses of the slot', () => {
  expect(flagsOf('api-server')).toEqual([
    '--listen=127.0.0.1:6474',
    '--database=/s/state.db',
    '--service-cidr=127.127.0.0/16',
    '--default-toleration-seconds=10',
    '--exit-with-parent',
    '--run-file',
    '/s/run/api-server.json',
  ])
  expect(flagsOf('node-agent-node-2')).toContain('--node-address=127.95.2.1')
  expect(flagsOf('scheduler')).toContain('--leader-elect=true')
})

test('settings count more than defaults, those of one process more than those of its kind', () => {
  const settings = {
    'api-server': { 'default-toleration-seconds': '300' },
    'node-agent': { 'crash-loop-backoff-base': '1s', 'relist-period': '9s' },
    'node-agent-node-2': { 'crash-loop-backoff-base': '2s' },
  }
  expect(flagsOf('api-server', { settings })).toContain('--default-toleration-seconds=300')
  expect(flagsOf('node-agent-node-1', { settings })).toContain('--crash-loop-backoff-base=1s')
  expect(flagsOf('node-agent-node-2', { settings })).toEqual(
    expect.arrayContaining(['--crash-loop-backoff-base=2s', '--relist-period=9s']),
  )
  expect(flagsOf('proxy-node-1', { logLevel: 'debug' })).toContain('--log-level=debug')
})

test.each([
  [{ runtime: { root: '/x' } }, 'runtime.root cannot be set'],
  [{ proxy: { 'run-file': '/x' } }, 'proxy-node-1.run-file cannot be set'],
  [{ kubelet: { x: 'y' } }, 'there is no component "kubelet" to set flags of; there are api-server, scheduler'],
])('refuses the settings %j', (settings, message) => {
  expect(() => componentsOf({ ...someConfig, settings }, state)).toThrow(message)
})

test('the drivers that need no user namespace need no launcher', () => {
  expect(runtimeLauncher('/r', 'process')).toEqual([])
  expect(runtimeLauncher('/r', 'oci')).toEqual([])
})
