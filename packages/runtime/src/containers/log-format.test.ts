import { expect, test } from 'vitest'
import { copyText, encodeEntries, viewOf, visitEntries } from './log-format.ts'
import { formatNanos } from '../timestamps.ts'

/** Numbers in [0, limit), the same ones every time. */
function sequence(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 8) % limit
  }
}

/** Mostly plain text, with everything in it that could be mistaken for something else. */
const special = [
  '"',
  '\\',
  '\t',
  '\r',
  '\0',
  '\u001f',
  '\u007f',
  '\u0080',
  'é',
  '船',
  '⛵',
  ' ',
  '!',
  '#',
  '[',
  ']',
  '|',
  '\\n',
]

function textOf(next: (limit: number) => number): string {
  const length = next(40)
  const isPlain = next(3) === 0
  return Array.from({ length }, () =>
    isPlain || next(6) > 0 ? 'abcxyz09'[next(8)] : special[next(special.length)],
  ).join('')
}

test.each([1, 2, 3, 4, 5])(
  'entries are what JSON.stringify makes of them, and come back as they were (seed %i)',
  (seed) => {
    const next = sequence(seed)
    const texts = Array.from({ length: 400 }, () => `${textOf(next)}\n`)
    if (seed % 2 === 0) texts.push('no newline')
    const first = 1_735_689_600_999_999_900n // the second ends on the way
    const { encoded, count } = encodeEntries(Buffer.from(texts.join('')), 'stderr', first)
    expect(count).toBe(texts.length)
    expect(encoded.toString().split('\n').slice(0, -1)).toEqual(
      texts.map((log, index) => JSON.stringify({ log, stream: 'stderr', time: formatNanos(first + BigInt(index)) })),
    )
    const target = Buffer.alloc(encoded.length)
    const read: string[] = []
    visitEntries(encoded, (entry) => {
      read.push(target.toString('utf8', 0, copyText(encoded, viewOf(encoded), entry, viewOf(target), 0)))
    })
    expect(read).toEqual(texts)
  },
)
