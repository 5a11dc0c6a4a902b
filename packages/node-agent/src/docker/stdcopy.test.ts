import { describe, expect, test } from 'vitest'
import { StdcopyParser, stdcopyFrame, type StdcopyPiece } from './stdcopy.ts'

function out(text: string) {
  return stdcopyFrame('stdout', Buffer.from(text))
}
function err(text: string) {
  return stdcopyFrame('stderr', Buffer.from(text))
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

describe('StdcopyParser', () => {
  test.each([1, 2, 3, 7, 8, 9, 13, 1000])('reads the same whatever way it is cut: chunks of %i bytes', (size) => {
    const parser = new StdcopyParser()
    const pieces: StdcopyPiece[] = []
    for (let at = 0; at < stream.length; at += size) pieces.push(...parser.push(stream.subarray(at, at + size)))
    expect(joined(pieces)).toBe('[stdout]hello\n[stderr]oops\n[stdout]bye\n')
  })

  test('hands on the first half of a frame before the second arrives', () => {
    const frame = out('first second')
    expect(joined(new StdcopyParser().push(frame.subarray(0, 8 + 5)))).toBe('[stdout]first')
  })

  test('throws what the daemon says on stream 3', () => {
    const frame = out('boom')
    frame[0] = 3
    expect(() => new StdcopyParser().push(frame)).toThrow('error from daemon in stream: boom')
  })

  test('refuses a stream that is not stdcopy', () => {
    expect(() => new StdcopyParser().push(Buffer.from('plain text from a tty'))).toThrow('not a stdcopy stream')
  })
})
