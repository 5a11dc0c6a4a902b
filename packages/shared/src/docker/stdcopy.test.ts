import { expect, test } from 'vitest'
import { frame, FrameReader } from './stdcopy.ts'

test('a frame is stream, three zeros, the length in network order and the bytes', () => {
  expect([...frame('stdout', Buffer.from('hi'))]).toEqual([1, 0, 0, 0, 0, 0, 0, 2, 0x68, 0x69])
  expect([...frame('stderr', Buffer.alloc(0))]).toEqual([2, 0, 0, 0, 0, 0, 0, 0])
  expect([...frame('stdin', Buffer.alloc(258)).subarray(0, 8)]).toEqual([0, 0, 0, 0, 0, 0, 1, 2])
})

test('frames are found wherever the stream was cut', () => {
  const whole = Buffer.concat([
    frame('stdout', Buffer.from('one')),
    frame('stderr', Buffer.from('two')),
    frame('stdout', Buffer.alloc(0)),
  ])
  for (let size = 1; size <= whole.length; size++) {
    const reader = new FrameReader()
    const found: string[] = []
    for (let at = 0; at < whole.length; at += size) {
      for (const { stream, payload } of reader.push(whole.subarray(at, at + size)))
        found.push(`${stream}:${payload.toString()}`)
    }
    expect(found).toEqual(['stdout:one', 'stderr:two', 'stdout:'])
  }
})

test('what is no frame is an error', () => {
  expect(() => new FrameReader().push(Buffer.from('HTTP/1.1 200 OK'))).not.toThrow() // a very long frame, not yet here
  expect(() => new FrameReader().push(Buffer.from([7, 0, 0, 0, 0, 0, 0, 0]))).toThrow('unrecognized stream: 7')
})
