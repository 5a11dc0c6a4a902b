import type { Taint, Toleration } from '@dinghy/shared/api/types'
import { describe, expect, test } from 'vitest'
import { at, epoch, makePod } from '../testing/objects.ts'
import { evictionTimeOf } from './eviction-time.ts'

const unreachable: Taint = { key: 'node.kubernetes.io/unreachable', effect: 'NoExecute', timeAdded: at(10) }

describe('when a pod has to leave, in seconds', () => {
  const exists = (tolerationSeconds?: number, key = unreachable.key): Toleration => ({
    key,
    operator: 'Exists',
    effect: 'NoExecute',
    ...(tolerationSeconds === undefined ? {} : { tolerationSeconds }),
  })
  const gpu: Taint = { key: 'gpu', effect: 'NoExecute', timeAdded: at(20) }
  const now = 100
  test.each<[string, Toleration[], Taint[], number | undefined]>([
    ['no taints', [], [], undefined],
    ['only NoSchedule', [], [{ ...unreachable, effect: 'NoSchedule' }], undefined],
    ['not tolerated: now', [], [unreachable], now],
    ['tolerated for good', [exists()], [unreachable], undefined],
    ['for a while', [exists(300)], [unreachable], 310],
    ['the shorter of two counts', [exists(300), exists(5)], [unreachable], 15],
    ['a limit beside one without counts', [exists(), exists(300)], [unreachable], 310],
    ['less than nothing is at once', [exists(-1)], [unreachable], 10],
    ['one of two not tolerated: now', [exists(300)], [unreachable, gpu], now],
    ['both for a while: from the later taint', [exists(300), exists(30, 'gpu')], [unreachable, gpu], 50],
    ['a taint without a time begins now', [exists(5)], [{ key: unreachable.key, effect: 'NoExecute' }], 105],
  ])('%s', (_name, tolerations, taints, expected) => {
    const time = evictionTimeOf(makePod('web', { spec: { tolerations } }), taints, epoch + now * 1_000)
    expect(time === undefined ? undefined : (time - epoch) / 1_000).toBe(expected)
  })
})
