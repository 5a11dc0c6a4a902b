import { describe, expect, test } from 'vitest'
import { Readable } from 'node:stream'
import { demultiplex, frame, StdcopyParser, type StdcopyPiece } from './stdcopy.ts'

function out(text: string) {
  return frame('stdout', Buffer.from(text))
}
function err(text: string) {
  return frame('stderr', Buffer.from(text))
}
const stream = Buffer.concat([out('hello\n'), err('oops\n'), out(''), out('bye\n')])

function joined(pieces: StdcopyPiece[]): string {
  let text = ''
  let last = ''
  for (const { stream, data } of pieces) {
    text += stream === last ? data.toString() : `[${stream}]${data.toString()}`
    last = stream
  }
  return text
}

test('a frame is stream, three zeros, the length in network order and the bytes', () => {
  expect([...frame('stdout', Buffer.from('hi'))]).toEqual([1, 0, 0, 0, 0, 0, 0, 2, 0x68, 0x69])
  expect([...frame('stderr', Buffer.alloc(0))]).toEqual([2, 0, 0, 0, 0, 0, 0, 0])
  expect([...frame('stdin', Buffer.alloc(258)).subarray(0, 8)]).toEqual([0, 0, 0, 0, 0, 0, 1, 2])
})

test('a whole stream is taken apart', async () => {
  const pieces: StdcopyPiece[] = []
  for await (const piece of demultiplex(Readable.from([stream.subarray(0, 10), stream.subarray(10)])))
    pieces.push(piece)
  expect(joined(pieces)).toBe('[stdout]hello\n[stderr]oops\n[stdout]bye\n')
})

describe('StdcopyParser', () => {
  test.each([1, 2, 3, 7, 8, 9, 13, 1000])('reads the same whatever way it is cut: chunks of %i bytes', (size) => {
    const parser = new StdcopyParser()
    const pieces: StdcopyPiece[] = []
    for (let at = 0; at < stream.length; at += size) pieces.push(...parser.push(stream.subarray(at, at + size)))
    expect(joined(pieces)).toBe('[stdout]hello\n[stderr]oops\n[stdout]bye\n')
  })

  test('hands on the first half of a frame before the second arrives', () => {
    const whole = out('first second')
    expect(joined(new StdcopyParser().push(whole.subarray(0, 8 + 5)))).toBe('[stdout]first')
  })

  test('throws what the daemon says on stream 3', () => {
    const boom = out('boom')
    boom[0] = 3
    expect(() => new StdcopyParser().push(boom)).toThrow('error from daemon in stream: boom')
  })

  test('refuses a stream that is not stdcopy', () => {
    expect(() => new StdcopyParser().push(Buffer.from('plain text from a tty'))).toThrow('not a stdcopy stream')
  })
})
