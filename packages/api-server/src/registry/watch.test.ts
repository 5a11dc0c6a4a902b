import { expect, test } from 'vitest'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { ChangeEvent } from '../storage/recent-events.ts'
import { Entry } from '../storage/storage.ts'
import { transition } from './watch.ts'

function state(revision: number, shown: boolean) {
  return new Entry(
    '/core/pods/default/a',
    revision,
    1,
    Buffer.from(JSON.stringify({ metadata: { name: 'a', resourceVersion: String(revision) }, shown })),
  )
}
function isShown(entry: Entry) {
  return (entry.object as KubernetesObject & { shown: boolean }).shown
}

const cases: [type: ChangeEvent['type'], was: boolean | undefined, is: boolean, told: string | undefined][] = [
  ['ADDED', undefined, true, 'ADDED'],
  ['ADDED', undefined, false, undefined],
  ['MODIFIED', true, true, 'MODIFIED'],
  ['MODIFIED', false, true, 'ADDED'],
  ['MODIFIED', true, false, 'DELETED'],
  ['MODIFIED', false, false, undefined],
  ['DELETED', true, true, 'DELETED'],
  ['DELETED', false, false, undefined],
]

test.each(cases)('%s, shown before: %s, shown now: %s → %s', (type, was, is, told) => {
  const previous = was === undefined ? undefined : state(1, was)
  const event = transition({ type, revision: 2, entry: state(2, is), previous }, isShown)
  expect(event?.type).toBe(told)
})

test('who stops to match is shown as last seen, with the number of the change that ended it', () => {
  const event = transition({ type: 'MODIFIED', revision: 2, entry: state(2, false), previous: state(1, true) }, isShown)
  expect(event).toMatchObject({
    type: 'DELETED',
    entry: { object: { shown: true, metadata: { resourceVersion: '2' } } },
  })
})
