import { expect, test } from 'vitest'
import { networkFor, plan } from './plan.ts'

const before = {
  cluster: 'dinghy',
  slot: 0,
  apiPort: 6443,
  driver: 'linux',
  nodes: [{ name: 'node-1', stopped: true }],
}

test.each([
  ['nothing asked, nothing there', {}, undefined, { driver: 'auto', names: ['node-1', 'node-2', 'node-3'] }],
  ['nothing asked', {}, before, { driver: 'linux', names: ['node-1'] }],
  ['more nodes', { nodes: '2' }, before, { driver: 'linux', names: ['node-1', 'node-2'] }],
  ['another driver', { driver: 'process' }, before, { driver: 'process', names: ['node-1'] }],
])('plans a cluster with %s', (_what, options, existing, { driver, names }) => {
  const planned = plan(options, existing)
  expect(planned.driver).toBe(driver)
  expect(planned.nodes.map(({ name }) => name)).toEqual(names)
  expect(planned.nodes[0]?.stopped).toBe(existing?.nodes[0]?.stopped)
})

test('flags count more than the file, the file more than what is stored', () => {
  const stored = { ...before, settings: { controller: { a: '1', b: '1' } } }
  const file = { nodes: '2', driver: 'oci', logLevel: 'warn', settings: { controller: { a: '2' }, proxy: { c: '2' } } }
  expect(plan({ driver: 'process', set: ['proxy.c=3'] }, stored, file)).toEqual({
    cluster: 'dinghy',
    driver: 'process',
    nodes: [{ name: 'node-1', stopped: true }, { name: 'node-2' }],
    logLevel: 'warn',
    settings: { controller: { a: '2', b: '1' }, proxy: { c: '3' } },
  })
})

test.each([
  [{ nodes: '0' }, undefined, '--nodes takes a number from 1 to 250, not "0"'],
  [{ nodes: 'three' }, undefined, '--nodes takes a number from 1 to 250, not "three"'],
  [{ nodes: '1' }, { ...before, nodes: [{ name: 'node-1' }, { name: 'node-2' }] }, 'this cluster has 2 nodes'],
  [{ driver: 'vm' }, undefined, '--driver takes auto, process, linux or oci, not "vm"'],
  [{ cluster: 'Two!' }, undefined, '"Two!" is no cluster name'],
  [{ logLevel: 'loud' }, undefined, '--log-level takes trace, debug'],
  [{ set: ['x'] }, undefined, 'COMPONENT.FLAG=VALUE'],
])('refuses %j', (options, existing, message) => {
  expect(() => plan(options, existing)).toThrow(message)
})

test.each([
  ['auto, at first', {}, undefined, 'auto'],
  ['what is asked for', { network: 'machines' }, undefined, 'machines'],
  ['what it has', {}, { ...before, network: 'machines' as const }, 'machines'],
  ['loopback, from before there were machines', {}, before, 'loopback'],
])('a cluster has the network %s', (_what, options, existing, network) => {
  expect(networkFor(options, existing)).toBe(network)
})

test('a network is one of three, and stays', () => {
  expect(networkFor({}, undefined, { network: 'loopback' })).toBe('loopback')
  expect(() => networkFor({ network: 'vlan' }, undefined)).toThrow('--network takes auto, machines or loopback')
  expect(() => networkFor({ network: 'machines' }, before)).toThrow("this cluster's network is loopback")
})
