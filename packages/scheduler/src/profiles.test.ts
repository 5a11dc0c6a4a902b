import { describe, expect, test } from 'vitest'
import { defaultConfiguration, type ProfileConfiguration } from './configuration/configuration.ts'
import { defaultPlugins } from './plugins/default-plugins.ts'
import { Profiles } from './profiles.ts'
import { node, pod } from './testing/objects.ts'

function profile(plugins: ProfileConfiguration['plugins'], schedulerName = 'default-scheduler') {
  const profiles = new Profiles({ ...defaultConfiguration, profiles: [{ schedulerName, plugins, args: {} }] })
  return profiles.of(pod('p', { spec: { schedulerName } }))
}

function names(set: Parameters<typeof profile>[0]) {
  const { plugins } = profile(set)
  return {
    filters: plugins.flatMap(({ name, preFilter }) => (preFilter ? [name] : [])),
    scores: plugins.flatMap(({ name, preScore, weight }) => (preScore ? [[name, weight]] : [])),
  }
}

const all = names({})

test('without a configuration there is one profile, with every plugin', () => {
  expect(profile({}).plugins.map(({ name }) => name)).toEqual(defaultPlugins.map(({ name }) => name))
  expect(profile({}).preempts).toBe(true)
  expect(new Profiles().has(pod('p', { spec: { schedulerName: 'mine' } }))).toBe(false)
  expect(() => new Profiles().of(pod('p', { spec: { schedulerName: 'mine' } }))).toThrow('another scheduler, "mine"')
})

describe('sets of plugins', () => {
  test('a plugin disabled everywhere, and one for half of its work', () => {
    const { filters, scores } = names({
      multiPoint: { enabled: [], disabled: ['NodePorts'] },
      filter: { enabled: [], disabled: ['NodeAffinity'] },
    })
    expect(filters).toEqual(all.filters.filter((name) => name !== 'NodePorts' && name !== 'NodeAffinity'))
    expect(new Set(scores)).toEqual(new Set(all.scores))
  })

  test('scores of nobody but one, with a weight of its own', () => {
    const set = { disabled: ['*'], enabled: [{ name: 'ImageLocality', weight: 7 }] }
    expect(names({ score: set })).toEqual({ filters: all.filters, scores: [['ImageLocality', 7]] })
  })

  test('another weight in the same place', () => {
    const set = { disabled: [], enabled: [{ name: 'TaintToleration', weight: 9 }] }
    const expected = all.scores.map(([name, weight]) => [name, name === 'TaintToleration' ? 9 : weight])
    expect(names({ score: set }).scores).toEqual(expected)
    expect(names({ multiPoint: set }).scores).toEqual(expected)
  })

  test('one that comes back has its weight and the last place', () => {
    const set = { disabled: ['*'], enabled: [{ name: 'NodeResourcesFit' }, { name: 'NodeName' }] }
    expect(names({ multiPoint: set })).toEqual({
      filters: ['NodeResourcesFit', 'NodeName'],
      scores: [['NodeResourcesFit', 1]],
    })
  })

  test("a profile that takes nobody's place", () => {
    expect(profile({ postFilter: { enabled: [], disabled: ['*'] } }).preempts).toBe(false)
    expect(profile({ multiPoint: { enabled: [], disabled: ['DefaultPreemption'] } }).preempts).toBe(false)
  })

  test.each<[string, ProfileConfiguration['plugins'], string]>([
    [
      'nobody',
      { filter: { enabled: [{ name: 'Mine' }], disabled: [] } },
      'plugins.filter.enabled[0]: "Mine": there is no such',
    ],
    [
      'nobody, disabled',
      { score: { enabled: [], disabled: ['toString'] } },
      'disabled[0]: "toString": there is no such',
    ],
    ['the binder', { bind: { enabled: [], disabled: ['DefaultBinder'] } }, 'the scheduler cannot be without it'],
    ['all that sorts', { queueSort: { enabled: [], disabled: ['*'] } }, 'it can only be disabled at'],
    ['where it has no part', { reserve: { enabled: [], disabled: ['VolumeBinding'] } }, 'it can only be disabled at'],
  ])('refused: %s', (_what, set, message) => {
    expect(() => profile(set)).toThrow(message)
  })

  test.each<ProfileConfiguration['plugins']>([
    { filter: { enabled: [], disabled: ['VolumeZone'] } },
    { bind: { enabled: [{ name: 'DefaultBinder' }], disabled: [] } },
    { permit: { enabled: [], disabled: ['*'] } },
  ])('changes nothing: %o', (set) => {
    expect(names(set)).toEqual(all)
  })
})

test('what an extender alone counts need not be free on a node', () => {
  const extender = {
    urlPrefix: 'http://127.0.0.1:1',
    filterVerb: '',
    prioritizeVerb: '',
    bindVerb: '',
    weight: 0,
    timeoutMs: 1,
    nodeCacheCapable: false,
    ignorable: false,
    managedResources: [{ name: 'example.com/chip', ignoredByScheduler: true }],
    tls: undefined,
  }
  const wanting = pod('p', { requests: { 'example.com/chip': '1' } })
  const event = { type: 'NodeAdded' as const, node: node('bare') }
  const helped = (profiles: Profiles) =>
    profiles
      .of(wanting)
      .plugins.find(({ name }) => name === 'NodeResourcesFit')
      ?.isHelpedBy?.(event, wanting)
  expect(helped(new Profiles())).toBe(false)
  expect(helped(new Profiles({ ...defaultConfiguration, extenders: [extender] }))).toBe(true)
})
