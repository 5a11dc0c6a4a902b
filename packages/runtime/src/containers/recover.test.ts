import { expect, test } from 'vitest'
import type { ContainerRecord, RestartPolicy, Status } from './record.ts'
import { findingOf } from './recover.ts'

const running = { id: 'x', pid: 7, startTime: '1', runDir: '/run' }

function record(
  status: Status,
  change: { policy?: RestartPolicy['Name']; started?: boolean; stopped?: boolean } = {},
): ContainerRecord {
  return {
    state: { status },
    hostConfig: { RestartPolicy: { Name: change.policy ?? 'no', MaximumRetryCount: 0 } },
    startedByUser: change.started ?? true,
    stoppedByUser: change.stopped ?? false,
  } as ContainerRecord
}

test.each([
  ['runs on', record('running'), { running, ended: false, isAlive: true }, 'adopt'],
  ['ended while nobody looked', record('running'), { running, ended: true, isAlive: false }, 'adopt'],
  ['is paused', record('paused'), { running, ended: false, isAlive: true }, 'adopt'],
  ['noted as running, but never ran', record('running'), { running: undefined, ended: false, isAlive: false }, 'lost'],
  ['ran before that was noted', record('created'), { running, ended: false, isAlive: true }, 'adopt'],
  ['has an old run directory', record('exited'), { running, ended: true, isAlive: false }, 'down'],
  ['whose pid is somebody else now', record('exited'), { running, ended: false, isAlive: false }, 'down'],
  ['waited for its restart', record('restarting'), { running, ended: true, isAlive: false }, 'restarting'],
  ['was being removed', record('removing'), { running: undefined, ended: false, isAlive: false }, 'removing'],
  [
    'wants to be up always',
    record('exited', { policy: 'always', stopped: true }),
    { running: undefined, ended: false, isAlive: false },
    'boot',
  ],
  [
    'was stopped, unless-stopped',
    record('exited', { policy: 'unless-stopped', stopped: true }),
    { running: undefined, ended: false, isAlive: false },
    'down',
  ],
] as const)('a container that %s', (_name, found, run, kind) => {
  expect(findingOf(found, run).kind).toBe(kind)
})
