import type { Node, Taint } from '@dinghy/shared/api/types'
import { describe, expect, test } from 'vitest'
import { at, makeNode } from '../testing/objects.ts'
import { taintsToSet, type EvictionMode } from './node-taints.ts'

interface Facts {
  ready?: string
  others?: Record<string, string>
  cordoned?: boolean
  taints?: string[]
}

/** A taint as text: "not-ready:NoSchedule". */
function taint(text: string, timeAdded = at(0)): Taint {
  const [key = '', effect = ''] = text.split(':')
  return { key: key.includes('/') ? key : `node.kubernetes.io/${key}`, effect, timeAdded }
}

function node({ ready, others = {}, cordoned = false, taints }: Facts): Node {
  const conditions = Object.entries({ ...(ready ? { Ready: ready } : {}), ...others }).map(([type, status]) => ({
    type,
    status,
  }))
  const spec = {
    ...(cordoned ? { unschedulable: true } : {}),
    ...(taints ? { taints: taints.map((one) => taint(one)) } : {}),
  }
  return { ...makeNode('node-1', { spec }), status: { conditions } }
}

function shown(taints: Taint[]): string[] {
  return taints.map(({ key, effect }) => `${key.replace('node.kubernetes.io/', '')}:${effect}`)
}
const unreachable = ['unreachable:NoSchedule', 'unreachable:NoExecute']

test.each<[string, Facts, EvictionMode, string[]]>([
  ['a ready node has none', { ready: 'True' }, 'allow', []],
  ['nor has one that has not reported', {}, 'allow', []],
  ['not ready', { ready: 'False' }, 'allow', ['not-ready:NoSchedule', 'not-ready:NoExecute']],
  ['silent', { ready: 'Unknown' }, 'allow', unreachable],
  ['silent, while no more may be evicted', { ready: 'Unknown' }, 'hold', ['unreachable:NoSchedule']],
  ['silent already before that', { ready: 'Unknown', taints: unreachable }, 'hold', unreachable],
  [
    'changed its fault while on hold',
    { ready: 'False', taints: unreachable },
    'hold',
    ['not-ready:NoSchedule', 'not-ready:NoExecute'],
  ],
  ['all nodes silent: called off', { ready: 'Unknown', taints: unreachable }, 'cancel', ['unreachable:NoSchedule']],
  ['back again', { ready: 'True', taints: unreachable }, 'allow', []],
  [
    'pressures',
    {
      ready: 'True',
      others: { MemoryPressure: 'True', DiskPressure: 'False', PIDPressure: 'Unknown', NetworkUnavailable: 'True' },
    },
    'allow',
    ['memory-pressure:NoSchedule', 'network-unavailable:NoSchedule'],
  ],
  ['cordoned', { ready: 'True', cordoned: true }, 'allow', ['unschedulable:NoSchedule']],
  ['uncordoned', { ready: 'True', taints: ['unschedulable:NoSchedule'] }, 'allow', []],
  [
    'taints of others stay',
    { ready: 'Unknown', taints: ['example.com/gpu:NoExecute', 'out-of-service:NoExecute'] },
    'allow',
    ['example.com/gpu:NoExecute', 'out-of-service:NoExecute', ...unreachable],
  ],
])('%s', (_name, facts, mode, expected) => {
  const one = node(facts)
  expect(shown(taintsToSet(one, mode, at(60)) ?? one.spec.taints ?? [])).toEqual(expected)
})

describe('time', () => {
  test('a taint that stays keeps its time; a new one gets the present', () => {
    const taints = taintsToSet(node({ ready: 'Unknown', taints: ['unreachable:NoExecute'] }), 'allow', at(60))
    expect(taints?.map(({ effect, timeAdded }) => [effect, timeAdded])).toEqual([
      ['NoSchedule', at(60)],
      ['NoExecute', at(0)],
    ])
  })

  test('when they are right already, nothing is to be set', () => {
    const one = node({ ready: 'Unknown', taints: ['example.com/gpu:NoSchedule', ...unreachable] })
    expect(taintsToSet(one, 'allow', at(60))).toBeUndefined()
    expect(taintsToSet(node({ ready: 'True' }), 'allow', at(60))).toBeUndefined()
  })
})
