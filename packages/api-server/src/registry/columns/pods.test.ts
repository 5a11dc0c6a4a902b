import type { ContainerStatus, Pod, PodStatus } from '@dinghy/shared/api/types'
import { describe, expect, test } from 'vitest'
import { podColumns } from './pods.ts'

const now = Date.parse('2025-01-01T01:00:00Z')

function cells(
  status: Partial<PodStatus>,
  more: { deleting?: boolean; init?: object[]; gates?: string[] } = {},
): string[] {
  const pod = {
    metadata: {
      name: 'web',
      creationTimestamp: '2025-01-01T00:00:00Z',
      ...(more.deleting ? { deletionTimestamp: '2025-01-01T00:59:00Z' } : {}),
    },
    spec: {
      containers: [{ name: 'a' }, { name: 'b' }],
      initContainers: more.init ?? [],
      readinessGates: more.gates?.map((conditionType) => ({ conditionType })),
    },
    status,
  } as unknown as Pod
  return podColumns.map((column) => String(column.cell(pod, now)))
}

function running(name: string, restartCount = 0): Partial<ContainerStatus> {
  return {
    name,
    ready: true,
    restartCount,
    state: { running: { startedAt: '2025-01-01T00:00:00Z' } },
  }
}
function waiting(name: string, reason: string, restartCount = 0): Partial<ContainerStatus> {
  return {
    name,
    ready: false,
    restartCount,
    state: { waiting: { reason } },
  }
}
function done(name: string, exitCode: number, reason?: string, signal?: number): Partial<ContainerStatus> {
  return {
    name,
    ready: false,
    restartCount: 0,
    state: { terminated: { exitCode, ...(reason ? { reason } : {}), ...(signal ? { signal } : {}) } },
  }
}
function statuses(...list: Partial<ContainerStatus>[]) {
  return list as ContainerStatus[]
}

describe('READY and STATUS', () => {
  const init = [{ name: 'i1' }, { name: 'i2' }]
  const ready = [{ type: 'Ready', status: 'True' }]

  test.each<[string, Partial<PodStatus>, Parameters<typeof cells>[1], string, string]>([
    ['nothing yet', { phase: 'Pending' }, {}, '0/2', 'Pending'],
    [
      'all running',
      { phase: 'Running', containerStatuses: statuses(running('a'), running('b')) },
      {},
      '2/2',
      'Running',
    ],
    [
      'pulling',
      {
        phase: 'Pending',
        containerStatuses: statuses(waiting('a', 'ContainerCreating'), waiting('b', 'ContainerCreating')),
      },
      {},
      '0/2',
      'ContainerCreating',
    ],
    [
      'the first in trouble has the last word',
      {
        phase: 'Running',
        containerStatuses: statuses(waiting('a', 'CrashLoopBackOff', 3), waiting('b', 'ErrImagePull')),
      },
      {},
      '0/2',
      'CrashLoopBackOff',
    ],
    [
      'succeeded',
      { phase: 'Succeeded', containerStatuses: statuses(done('a', 0, 'Completed'), done('b', 0, 'Completed')) },
      {},
      '0/2',
      'Completed',
    ],
    [
      'failed',
      { phase: 'Failed', containerStatuses: statuses(done('a', 1, 'Error'), done('b', 0, 'Completed')) },
      {},
      '0/2',
      'Error',
    ],
    [
      'killed without a reason',
      { phase: 'Failed', containerStatuses: statuses(done('a', 137, undefined, 9)) },
      {},
      '0/2',
      'Signal:9',
    ],
    ['ended without a reason', { phase: 'Failed', containerStatuses: statuses(done('a', 3)) }, {}, '0/2', 'ExitCode:3'],
    [
      'one done, one running, ready',
      { phase: 'Running', conditions: ready, containerStatuses: statuses(done('a', 0, 'Completed'), running('b')) },
      {},
      '1/2',
      'Running',
    ],
    [
      'one done, one running, not ready',
      { phase: 'Running', containerStatuses: statuses(done('a', 0, 'Completed'), running('b')) },
      {},
      '1/2',
      'NotReady',
    ],
    [
      'first init container',
      { phase: 'Pending', initContainerStatuses: statuses(running('i1'), waiting('i2', 'PodInitializing')) },
      { init },
      '0/2',
      'Init:0/2',
    ],
    [
      'second init container',
      {
        phase: 'Pending',
        initContainerStatuses: statuses(done('i1', 0, 'Completed'), waiting('i2', 'PodInitializing')),
      },
      { init },
      '0/2',
      'Init:1/2',
    ],
    [
      'init container fails',
      { phase: 'Pending', initContainerStatuses: statuses(done('i1', 1, 'Error')) },
      { init },
      '0/2',
      'Init:Error',
    ],
    [
      'init container crash loops',
      { phase: 'Pending', initContainerStatuses: statuses(waiting('i1', 'CrashLoopBackOff')) },
      { init },
      '0/2',
      'Init:CrashLoopBackOff',
    ],
    [
      'a sidecar counts',
      {
        phase: 'Running',
        initContainerStatuses: statuses({ ...running('i1'), started: true }),
        containerStatuses: statuses(running('a'), running('b')),
      },
      { init: [{ name: 'i1', restartPolicy: 'Always' }] },
      '3/3',
      'Running',
    ],
    ['evicted', { phase: 'Failed', reason: 'Evicted' }, {}, '0/2', 'Evicted'],
    [
      'gated',
      { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }] },
      {},
      '0/2',
      'SchedulingGated',
    ],
    [
      'deleting',
      { phase: 'Running', containerStatuses: statuses(running('a'), running('b')) },
      { deleting: true },
      '2/2',
      'Terminating',
    ],
    ['deleting on a lost node', { phase: 'Running', reason: 'NodeLost' }, { deleting: true }, '0/2', 'Unknown'],
    [
      'deleting after the end',
      { phase: 'Succeeded', containerStatuses: statuses(done('a', 0, 'Completed')) },
      { deleting: true },
      '0/2',
      'Completed',
    ],
  ])('%s', (_, status, more, readyCell, statusCell) => {
    expect(cells(status, more).slice(1, 3)).toEqual([readyCell, statusCell])
  })
})

describe('RESTARTS', () => {
  const lastState = { terminated: { exitCode: 1, finishedAt: '2025-01-01T00:59:55Z' } }

  test('says when the last one was', () => {
    const status = { containerStatuses: statuses({ ...running('a', 2), lastState }, running('b', 1)) }
    expect(cells(status)[3]).toBe('3 (5s ago)')
  })

  test('forgets init containers once they are done', () => {
    const status = {
      initContainerStatuses: statuses({ ...done('i1', 0, 'Completed'), restartCount: 4, lastState }),
      containerStatuses: statuses(running('a')),
    }
    expect(cells(status, { init: [{ name: 'i1' }] })[3]).toBe('0')
  })
})

test('the wide columns', () => {
  const conditions = [{ type: 'lb', status: 'True' }]
  const wide = cells({ podIPs: [{ ip: '10.1.2.3' }], conditions }, { gates: ['lb', 'other'] })
  expect(wide.slice(4)).toEqual(['60m', '10.1.2.3', '<none>', '<none>', '1/2'])
})
