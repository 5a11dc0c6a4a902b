import { expect, test } from 'vitest'
import { plan } from './up.ts'

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
])('plans a cluster with %s', (_what, flags, existing, { driver, names }) => {
  const planned = plan(flags, existing)
  expect(planned.driver).toBe(driver)
  expect(planned.nodes.map(({ name }) => name)).toEqual(names)
  expect(planned.nodes[0]?.stopped).toBe(existing?.nodes[0]?.stopped)
})

test.each([
  [{ nodes: '0' }, undefined, '--nodes takes a number from 1 to 250, not "0"'],
  [{ nodes: 'three' }, undefined, '--nodes takes a number from 1 to 250, not "three"'],
  [{ nodes: '1' }, { ...before, nodes: [{ name: 'node-1' }, { name: 'node-2' }] }, 'this cluster has 2 nodes'],
  [{ driver: 'vm' }, undefined, '--driver takes auto, process, linux or oci, not "vm"'],
  [{ cluster: 'Two!' }, undefined, '"Two!" is no cluster name'],
])('refuses %j', (flags, existing, message) => {
  expect(() => plan(flags, existing)).toThrow(message)
})
