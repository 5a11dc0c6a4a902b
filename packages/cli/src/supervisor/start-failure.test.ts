import { writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { temporaryState } from '../testing/temporary-state.ts'
import { startFailure } from './start-failure.ts'

const component = {
  name: 'api-server',
  pid: 1,
  ready: false,
  restarts: 6,
  stopped: false,
  silent: false,
  settled: false,
}
function room(): undefined {}

test('a component that ends again and again and was never ready makes the start fail, in its own words', () => {
  const state = temporaryState()
  writeFileSync(state.log('api-server'), '{"level":60,"msg":"the port is taken"}\n')
  expect(startFailure([component], state, room)).toBe(
    `api-server ended 6 times (the port is taken); see ${state.log('api-server')}`,
  )
  expect(startFailure([component], state, () => 'the disk is full')).toContain('(the disk is full)')
  writeFileSync(state.log('api-server'), '')
  expect(startFailure([component], state, room)).toContain('(it does not say why)')
})

test.each([
  ['has ended only a few times', { restarts: 5 }],
  ['was ready once', { settled: true }],
  ['is not wanted', { stopped: true }],
])('one that %s does not', (_what, fields) => {
  expect(startFailure([{ ...component, ...fields }], temporaryState(), room)).toBeUndefined()
})
