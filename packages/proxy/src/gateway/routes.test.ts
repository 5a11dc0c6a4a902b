import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { labMissing, NetworkLab, nodeAddress } from '../testing/network-lab.ts'
import { routeCommands, Routes } from './routes.ts'

test('only what differs is set and removed', () => {
  const present = new Map([
    ['172.30.0.201', '172.30.0.11'],
    ['172.30.0.202', '172.30.0.11'],
  ])
  const wanted = new Map([
    ['172.30.0.201', '172.30.0.11'],
    ['172.30.0.203', '172.30.0.11 172.30.0.12'],
  ])
  expect(routeCommands(present, wanted)).toEqual([
    'route replace 172.30.0.203/32 proto 108 nexthop via 172.30.0.11 nexthop via 172.30.0.12',
    'route delete 172.30.0.202/32 proto 108',
  ])
})

const missing = labMissing()

describe.skipIf(missing !== undefined)(`in a real kernel${missing ? ` (${missing})` : ''}`, () => {
  let lab: NetworkLab
  beforeAll(() => {
    lab = new NetworkLab()
  })
  afterAll(() => lab.close())

  test('sets routes, takes over those of an earlier process, and leaves others alone', async () => {
    const command = [...lab.at('out'), 'ip']
    const shown = () => {
      const [program = '', ...words] = command
      const { stdout } = spawnSync(program, [...words, 'route', 'show', 'proto', '108'], { encoding: 'utf8' })
      return [...stdout.matchAll(/^([\d.]+)/gm)].map((match) => match[1])
    }
    spawnSync(command[0] ?? '', [
      ...command.slice(1),
      'route',
      'add',
      '10.9.9.9/32',
      'proto',
      '108',
      'via',
      nodeAddress,
    ])
    const second = '172.30.9.12'
    await new Routes('172.30.9.0/24', command).set(
      new Map([
        ['172.30.9.201', [nodeAddress]],
        ['172.30.9.202', [nodeAddress, second]],
        ['172.30.9.203', []],
      ]),
    )
    expect(shown()).toEqual(['10.9.9.9', '172.30.9.201', '172.30.9.202'])
    await new Routes('172.30.9.0/24', command).set(new Map([['172.30.9.202', [second]]]))
    expect(shown()).toEqual(['10.9.9.9', '172.30.9.202'])
  })
})
