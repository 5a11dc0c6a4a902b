import { expect, test } from 'vitest'
import { normalizeService } from './load/normalize.ts'
import { type Observed, planService } from './plan.ts'
import { configHash, label } from './spec.ts'

const context = { project: 'p', directory: '/p', env: {}, readEnvFile: () => undefined }
const service = normalizeService('web', { image: 'web', deploy: { replicas: 2 } }, context)
const hash = configHash(service)

const container = (number: number, changes: Partial<Record<'state' | 'hash' | 'image', string>> = {}): Observed => ({
  id: `c${number}`,
  name: `p-web-${number}`,
  state: changes.state ?? 'running',
  labels: {
    [label.number]: String(number),
    [label.hash]: changes.hash ?? hash,
    [label.image]: changes.image ?? 'sha256:1',
  },
})

const summary = (...args: Parameters<typeof planService>) =>
  planService(...args).map((action) =>
    'container' in action ? `${action.kind} ${action.container.id}` : `${action.kind} ${action.number}`,
  )

test.each([
  ['nothing there', [], {}, ['create 1', 'create 2']],
  ['all as wanted', [container(1), container(2)], {}, ['keep c1', 'keep c2']],
  ['one stopped', [container(1, { state: 'exited' }), container(2)], {}, ['start c1', 'keep c2']],
  ['one missing below', [container(2)], {}, ['keep c2', 'create 1']],
  ['a changed file', [container(1, { hash: 'old' }), container(2)], {}, ['recreate 1', 'keep c2']],
  ['a new image', [container(1, { image: 'sha256:0' }), container(2)], {}, ['recreate 1', 'keep c2']],
  ['scaled down', [container(1), container(2)], { scale: 1 }, ['remove c2', 'keep c1']],
  ['scaled to none', [container(1), container(2)], { scale: 0 }, ['remove c2', 'remove c1']],
  ['scaled up', [container(1), container(2)], { scale: 3 }, ['keep c1', 'keep c2', 'create 3']],
  ['forced', [container(1), container(2)], { forceRecreate: true }, ['recreate 1', 'recreate 2']],
  ['never recreate', [container(1, { hash: 'old' }), container(2)], { noRecreate: true }, ['keep c1', 'keep c2']],
])('%s', (_name, observed, options, expected) => {
  expect(summary(service, 'sha256:1', observed, options)).toEqual(expected)
})

test('the hash notices what the container is made of, and nothing else', () => {
  const of = (tree: Record<string, unknown>) => configHash(normalizeService('web', { image: 'web', ...tree }, context))
  expect(of({ deploy: { replicas: 5 } })).toBe(hash)
  expect(of({ depends_on: ['db'] })).toBe(hash)
  expect(of({ environment: { A: '1' } })).not.toBe(hash)
  expect(of({ environment: { A: '1', B: '2' } })).toBe(of({ environment: ['B=2', 'A=1'] }))
})
