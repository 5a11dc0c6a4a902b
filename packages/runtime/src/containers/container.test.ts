import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import { Container } from './container.ts'
import type { ContainerRecord } from './record.ts'
import { after } from './state.ts'

let dir: string
const clock = new FakeClock()
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'container-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

function make(): Container {
  const record = {
    id: 'c1',
    name: 'web',
    state: { status: 'created', exitCode: 0 },
    hostConfig: { LogConfig: { Type: 'none' } },
  }
  return new Container(dir, record as ContainerRecord, clock)
}

test('a directory without a record is of a container that nobody was told of', () => {
  expect(Container.load(dir, clock)).toBeUndefined()
})

test('the next runtime finds the last state that was saved', () => {
  const container = make()
  container.save()
  container.transition('exited', { exitCode: 3 })
  expect(Container.load(dir, clock)?.state).toEqual({ status: 'exited', exitCode: 3 })
})

test('it believes that a container runs which was about to be started, when this one does not yet', () => {
  const container = make()
  container.save(after(container.state, 'started'))
  expect(container.state.status).toBe('created')
  expect(Container.load(dir, clock)?.state.status).toBe('running')
})

test('it goes on with a removal that was begun', () => {
  const container = make()
  container.save()
  container.beginRemoval()
  expect(container.state.status).toBe('removing')
  expect(existsSync(join(dir, 'config.json'))).toBe(false)
  const found = Container.load(dir, clock)
  expect(found?.state.status).toBe('removing')
  found?.beginRemoval()
  expect(Container.load(dir, clock)?.state.status).toBe('removing')
})
