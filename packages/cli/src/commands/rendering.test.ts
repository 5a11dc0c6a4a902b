/** What commands print, as pure functions of what they were told. */
import { writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { StateDir } from '../cluster/state-dir.ts'
import { temporaryState } from '../testing/temporary-state.ts'
import { sameCluster, stateOf } from './cluster-command.ts'
import { missingText, reasonIn } from './detach.ts'
import { renderDiff } from './diff.ts'
import { dinghyWord, envLines } from './env.ts'
import { renderGates } from './gates.ts'
import { renderSchedule } from './explain-schedule.ts'
import { renderHistory } from './history.ts'
import { flagLines } from './settings.ts'
import { renderField } from './who.ts'
import { fold, renderChain, type Write } from './why.ts'

const at = '2026-01-01T10:20:30.400Z'
const chain: Write[] = [
  {
    revision: 9,
    kind: 'Pod',
    name: 'web-7f9c',
    verb: 'update',
    actor: 'kubelet/node-1',
    cause: 8,
    at,
    summary: 'became Ready',
  },
  {
    revision: 8,
    kind: 'Pod',
    name: 'web-7f9c',
    verb: 'create',
    actor: 'replicaset-controller',
    cause: 7,
    at,
    summary: '',
  },
  { revision: 7, kind: 'Deployment', name: 'web', verb: 'create', actor: 'kubectl-create', at },
]

test('why: the newest first, each cause below what it caused', () => {
  expect(renderChain(chain)).toBe(
    [
      'newest first; each write was caused by the one below it',
      'pod/web-7f9c became Ready by kubelet/node-1  r9  10:20:30.400',
      '\u21b3 pod/web-7f9c created by replicaset-controller  r8  10:20:30.400',
      ' \u21b3 deployment/web created by kubectl-create  r7  10:20:30.400',
    ].join('\n'),
  )
})

test('why: keeps its tree where the terminal is narrow', () => {
  const summary = 'container busybox started, is Running, became Ready and 2 more'
  const write = (index: number): Write => {
    const name = `web-58f5d5f89f-${index}`
    return {
      revision: 100 - index,
      cause: 99 - index,
      kind: 'Pod',
      name,
      verb: 'update',
      actor: 'kubelet/node-1',
      at,
      summary,
    }
  }
  const long = Array.from({ length: 20 }, (_, index) => write(index))
  const lines = renderChain(long, 80).split('\n')
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80)
  expect(lines.at(-1)).toBe('            \u21b3 r80, which has been compacted')
  expect(lines[1]).toBe('pod/web-58f5d5f89f-0')
  expect(fold('one two three four', '  ', 10)).toBe('  one two\n  three\n  four')
})

test('history: facts, and with --diff the values', () => {
  const revision = {
    revision: 12,
    actor: 'kubectl',
    cause: 11,
    at,
    verb: 'update',
    facts: ['scaled from 2 to 4'],
    changed: [],
  }
  expect(renderHistory([revision])).toBe(
    'newest first\nr12    10:20:30.400 update by kubectl because of r11\n       scaled from 2 to 4',
  )
  const changes = [{ path: '' }, { path: '/spec/replicas', before: 2, after: 4 }, { path: '/x', after: 'y'.repeat(99) }]
  const lines = renderHistory([{ ...revision, facts: [], changes }], 40).split('\n')
  expect(lines.slice(2)).toEqual([
    '       /spec/replicas',
    '         - 2',
    '         + 4',
    '       /x',
    `         + "${'y'.repeat(27)}\u2026`,
  ])
})

test('gates: what was done, and what waits', () => {
  const empty = { paused: false, queued: [], processing: [], delayed: [], totals: {} }
  expect(renderGates('c', 'pause', { a: {}, b: {} })).toContain('paused 2 loops of c; `dinghy step c`')
  expect(renderGates('c', 'resume', { a: {} })).toBe('resumed a')
  expect(renderGates('c', 'step', { a: { stepped: null } })).toContain('nothing waits at a closed gate')
  expect(renderGates('c', 'queue', { a: empty, b: empty })).toBe('2 loops have nothing to do (--all shows them)')
  const busy = {
    ...empty,
    processing: [{ key: 'x', cause: '1' }],
    delayed: [{ key: 'y', cause: undefined, dueInMs: 1_500 }],
    unschedulable: [{ key: 'z', refusedBy: ['Fit', 'Taints'] }],
  }
  expect(renderGates('c', 'queue', { a: busy, b: empty }).split('\n')).toEqual([
    'a',
    '  at work  x  because of r1',
    '  1.5s     y  a timer',
    '  no node  z  refused by Fit, Taints',
    '1 loop has nothing to do (--all shows them)',
  ])
  expect(renderGates('c', 'queue', { b: empty }, true)).toBe('b')
})

test('env puts the clone on the PATH once, and lets dinghy mean the same cluster', () => {
  const state = new StateDir('/s p')
  const lines = envLines(state, ' --cluster two', { PATH: '/usr/bin' })
  expect(lines).toContain(`export KUBECONFIG='/s p/kubeconfig'`)
  expect(lines).toContain(`export DINGHY_STATE_DIR='/s p'`)
  const bin = /export PATH=(\S+):"\$PATH"/.exec(lines)?.[1] ?? ''
  expect(bin).toMatch(/packages\/cli\/bin$/)
  expect(lines).toContain(`eval "$(${bin}/dinghy env --cluster two)"`)
  const there = { PATH: `/usr/bin:${bin}`, DINGHY_STATE_DIR: '/s p' }
  expect(envLines(state, '', there)).not.toContain('export PATH')
  expect(envLines(StateDir.of('dinghy', undefined), '', there)).toContain('unset DINGHY_STATE_DIR')
  expect(envLines(StateDir.of('dinghy', undefined), '', {})).not.toContain('DINGHY_STATE_DIR')
  expect(dinghyWord(`/usr/bin:${bin}`)).toBe('dinghy')
})

test('which cluster is meant: the one that is named, or else what the environment says', () => {
  const env = { DINGHY_STATE_DIR: '/of-env', DINGHY_CLUSTER: 'env' }
  expect(stateOf({}, env).root).toBe('/of-env')
  expect(stateOf({ cluster: 'two' }, env).root).toBe(StateDir.of('two', undefined).root)
  expect(stateOf({ stateDir: '/x' }, env).root).toBe('/x')
  expect(stateOf({}, { DINGHY_CLUSTER: 'env' }).root).toBe(StateDir.of('env', undefined).root)
  expect(stateOf({}, { DINGHY_STATE_DIR: '', DINGHY_CLUSTER: '' }).root).toBe(StateDir.of('dinghy', undefined).root)
})

test('the words that lead to the same cluster', () => {
  expect(sameCluster({})).toBe('')
  expect(sameCluster({ cluster: 'two', stateDir: "/it's" })).toBe(String.raw` --cluster two --state-dir '/it'\''s'`)
})

test('settings: the flags of a component’s help, without those that are not for changing', () => {
  const help = [
    'Usage: x [flags]',
    '  --root string      where (required)',
    '  --relist duration   how often all of them are looked at (default 5s)',
    '  --verbose           say more',
  ].join('\n')
  expect(flagLines(help, ['root'])).toBe(
    '  --relist duration\n      how often all of them are looked at (default 5s)\n  --verbose\n      say more',
  )
})

test('up --detach: what is missing, and why it failed', () => {
  const state = temporaryState()
  const component = {
    name: 'runtime',
    pid: 1,
    ready: false,
    restarts: 0,
    stopped: false,
    silent: false,
    settled: false,
    paused: [],
  }
  const room = () => undefined
  const [soon, late] = [3_000, 9_000]
  expect(missingText({ components: [component] }, state, soon, room)).toBeUndefined()
  expect(missingText({ components: [component] }, state, late, room)).toBe(
    `still waiting for runtime; see ${state.log('runtime')}`,
  )
  writeFileSync(state.log('runtime'), '{"level":60,"msg":"no root"}\n')
  expect(missingText({ components: [{ ...component, restarts: 2 }] }, state, soon, room)).toContain(
    'runtime, restarted 2\u00d7 (no root)',
  )
  expect(missingText({ components: [] }, state, late, room)).toBeUndefined()
  expect(missingText({ components: [component] }, state, soon, () => 'full')).toContain('runtime (full)')
  expect(missingText({ components: [] }, state, soon, () => 'full')).toBe('full')
  expect(reasonIn('  line\ndinghy: the cluster did not start: no\n')).toBe('the cluster did not start: no')
  expect(reasonIn('')).toBeUndefined()
})

test('who: the value, its owners, and each write that changed it', () => {
  const owners = [{ manager: 'kubectl-scale', operation: 'Update', subresource: 'scale' }]
  const writes = [
    { revision: 9, actor: 'kubectl-scale', at, verb: 'update', before: 1, after: 3 },
    { revision: 7, actor: 'job', cause: 6, at, verb: 'create', after: 1 },
  ]
  expect(renderField('.spec.replicas', { value: 3, owners, writes })).toBe(
    [
      '.spec.replicas is 3',
      'owned by kubectl-scale (Update, through scale)',
      'newest first',
      'r9     10:20:30.400 update by kubectl-scale',
      '         - 1',
      '         + 3',
      'r7     10:20:30.400 create by job because of r6',
      '         + 1',
    ].join('\n'),
  )
  expect(renderField('.spec.paused', { owners: [], writes: [] })).toBe(
    '.spec.paused is not set\nno write that is still known changed it',
  )
})

test('diff: one line an object, and below it the fields that differ', () => {
  const objects = [
    { kind: 'Pod', namespace: 'shop', name: 'web', what: 'created' as const, revision: 8, changes: [] },
    { kind: 'Node', name: 'one', what: 'changed' as const, revision: 9, changes: [{ path: '/spec/a', after: true }] },
    { kind: 'Pod', namespace: 'shop', name: 'old', what: 'deleted' as const, changes: [] },
  ]
  expect(renderDiff({ from: 7, to: 9, objects })).toBe(
    [
      'from r7 to r9',
      'created  pod/web in shop  r8',
      'changed  node/one  r9',
      '       /spec/a',
      '         + true',
      'deleted  pod/old in shop',
    ].join('\n'),
  )
  expect(renderDiff({ from: 7, to: 7, objects: [] })).toBe('nothing differs between r7 and r7, Leases and Events aside')
})

describe('explain-schedule', () => {
  const now = { seenBy: 'store' as const, revision: '7', nodes: [], best: [] }
  const fits = (node: string, score: number) => ({
    node,
    refusals: [],
    scores: [
      { plugin: 'Taints', weight: 3, raw: 0, score: 100 },
      { plugin: 'Fit', weight: 1, raw: 9, score },
    ],
    total: 300 + score,
  })
  const full = { node: 'n3', refusals: [{ plugin: 'Fit', reasons: ['Insufficient cpu'] }], scores: [] }

  test('the best node stands first, and refusals below', () => {
    const nodes = [fits('n1', 5), fits('n2', 90), full]
    const seen = { seenBy: 'scheduler' as const, revision: '7', decided: 'n2', nodes, best: ['n2'] }
    expect(renderSchedule('web', seen)).toBe(
      [
        'web is given n2 (as the scheduler saw it)',
        'NODE  Taints \u00d73  Fit  TOTAL',
        'n2    100        90   390  ',
        'n1    100        5    305  ',
        'no  n3: Insufficient cpu (Fit)',
        'n2 has the highest score',
      ].join('\n'),
    )
  })

  test.each([
    [{ nodes: [], best: [] }, 'there are no nodes'],
    [{ nodes: [full], best: [] }, 'no node fits: 0 of 1'],
    [
      { nodes: [{ ...fits('n1', 0), scores: [] }, full], best: ['n1'] },
      'n1 is the only node that fits: nothing is scored',
    ],
    [
      { nodes: [fits('n1', 5), fits('n2', 5)], best: ['n1', 'n2'] },
      'n1, n2 have the same score: the scheduler takes any of them',
    ],
  ])('the last line is the verdict: %#', (seen, verdict) => {
    expect(
      renderSchedule('web', { ...now, ...seen })
        .split('\n')
        .at(-1),
    ).toBe(verdict)
  })

  test('a pod that is placed, and one that waits', () => {
    expect(renderSchedule('web', { ...now, nodeName: 'n1' })).toContain('web is on n1 (as the store has it at r7)')
    expect(renderSchedule('web', now)).toContain('web has no node')
  })
})
