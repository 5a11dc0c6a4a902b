/** A proxy in user space in a node's own network: its addresses, and what pods and others hear from it. */

import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { labMissing, NetworkLab } from '../testing/network-lab.ts'
import { addressCommands, ServiceAddresses } from './service-addresses.ts'

test('only what differs is added and removed', () => {
  expect(addressCommands(new Set(['10.96.0.1', '10.96.0.2']), new Set(['10.96.0.2', '10.96.0.3']))).toEqual([
    'address add 10.96.0.3/32 dev services',
    'address delete 10.96.0.1/32 dev services',
  ])
  expect(addressCommands(new Set(['10.96.0.1']), new Set(['10.96.0.1']))).toEqual([])
})

const missing = labMissing()

describe.skipIf(missing !== undefined)(`in a real kernel${missing ? ` (${missing})` : ''}`, () => {
  let lab: NetworkLab
  beforeAll(() => {
    lab = new NetworkLab()
    lab.addPod('a', 2)
  })
  afterAll(() => lab.close())

  const command = () => [...lab.at('node'), 'ip']
  const shown = () => {
    const [program = '', ...words] = command()
    const { stdout } = spawnSync(program, [...words, '-4', '-o', 'address', 'show', 'dev', 'services'], {
      encoding: 'utf8',
    })
    return [...stdout.matchAll(/inet (\S+)\/32/g)].map((match) => match[1])
  }

  test('a pod reaches what listens on the address of a Service, and a new process takes the addresses over', async () => {
    const addresses = new ServiceAddresses(command())
    await addresses.set(new Set(['10.96.0.10']))
    await lab.serve('node', 't80')
    expect(await lab.ask('a', '10.96.0.10:80')).toEqual(['node saw 10.244.1.2'])
    expect(await lab.ask('a', '10.96.0.10:81')).toEqual(['refused'])
    await Promise.all([addresses.set(new Set(['10.96.0.10', '10.96.0.11'])), addresses.set(new Set(['10.96.0.11']))])
    expect(shown()).toEqual(['10.96.0.11'])
    await new ServiceAddresses(command()).set(new Set(['10.96.0.12']))
    expect(shown()).toEqual(['10.96.0.12'])
  })

  test('what cannot be done rejects, and the next change looks again', async () => {
    const addresses = new ServiceAddresses(command())
    await expect(addresses.set(new Set(['10.96.0.20', 'nonsense']))).rejects.toThrow(/ip -batch/)
    await addresses.set(new Set(['10.96.0.20']))
    expect(shown()).toEqual(['10.96.0.20'])
  })
})
