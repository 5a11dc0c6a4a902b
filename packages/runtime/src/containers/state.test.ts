import { expect, test } from 'vitest'
import { never, type State, type Status } from './record.ts'
import { after, refusal, type Transition } from './state.ts'

function state(status: Status): State {
  return {
    status,
    exitCode: 0,
    error: '',
    oomKilled: false,
    startedAt: never,
    finishedAt: never,
  }
}

test.each<[Status, Transition, Status]>([
  ['created', 'started', 'running'],
  ['exited', 'started', 'running'],
  ['restarting', 'started', 'running'],
  ['running', 'exited', 'exited'],
  ['paused', 'exited', 'exited'],
  ['running', 'willRestart', 'restarting'],
  ['running', 'paused', 'paused'],
  ['paused', 'resumed', 'running'],
  ['exited', 'removing', 'removing'],
  ['removing', 'removeFailed', 'dead'],
  ['dead', 'removing', 'removing'],
])('%s --%s--> %s', (from, transition, to) => {
  expect(after(state(from), transition).status).toBe(to)
})

test.each<[Status, Transition]>([
  ['running', 'started'],
  ['paused', 'started'],
  ['running', 'removing'],
  ['exited', 'paused'],
  ['created', 'resumed'],
  ['removing', 'started'],
])('%s cannot have %s', (from, transition) => {
  expect(() => after(state(from), transition)).toThrow(`a container that is ${from} cannot have ${transition}`)
})

test('a transition carries facts along', () => {
  expect(after(state('running'), 'exited', { exitCode: 137 })).toMatchObject({ status: 'exited', exitCode: 137 })
})

test.each<[Parameters<typeof refusal>[0], Status, string | undefined]>([
  ['kill', 'exited', 'cannot kill container: web: container 12ab is not running'],
  ['kill', 'paused', undefined],
  ['pause', 'paused', 'Container 12ab is already paused'],
  ['pause', 'created', 'Container 12ab is not running'],
  ['unpause', 'running', 'Container 12ab is not paused'],
  ['exec', 'exited', 'container 12ab is not running'],
  ['exec', 'paused', 'container 12ab is paused, unpause the container before exec'],
  ['exec', 'restarting', 'Container 12ab is restarting, wait until the container is running'],
  [
    'remove',
    'running',
    'cannot remove container "web": container is running: stop the container before removing or force remove',
  ],
  ['remove', 'paused', 'cannot remove container "web": container is paused and must be unpaused first'],
  ['remove', 'exited', undefined],
  ['attach', 'created', undefined],
  ['top', 'exited', 'container 12ab is not running'],
])('%s of a container that is %s: %s', (request, status, message) => {
  const refused = refusal(request, status, '12ab', 'web')
  expect(refused?.message).toBe(message)
  if (refused !== undefined) expect(refused.status).toBe(409)
})
