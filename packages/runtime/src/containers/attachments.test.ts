import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { Attachments } from './attachments.ts'

function settle() {
  return new Promise((resolve) => setImmediate(resolve))
}

test('input and its end may come before there is anything to take them', async () => {
  const attachments = new Attachments()
  const client = new PassThrough()
  client.end('early')
  attachments.addInput(client)
  await settle()
  const stdin = new PassThrough()
  const chunks: string[] = []
  stdin.on('data', (chunk: Buffer) => chunks.push(chunk.toString()))
  let closed = false
  attachments.runStarted({ stream: stdin, close: () => (closed = true), once: true })
  await settle()
  await settle()
  expect(chunks).toEqual(['early'])
  expect(closed).toBe(true)
})

test('without StdinOnce a client that leaves does not end the input', async () => {
  const attachments = new Attachments()
  const stdin = new PassThrough()
  let closed = false
  attachments.runStarted({ stream: stdin, close: () => (closed = true), once: false })
  const client = new PassThrough()
  attachments.addInput(client)
  client.end('bye')
  await settle()
  await settle()
  expect(stdin.read()?.toString()).toBe('bye')
  expect([closed, stdin.writableEnded]).toEqual([false, false])
})

test('subscribers get output and the end until they leave', () => {
  const attachments = new Attachments()
  const seen: string[] = []
  const leave = new AbortController()
  attachments.subscribe(
    (stream, chunk) => seen.push(`${stream} ${chunk.toString()}`),
    () => seen.push('end'),
    leave.signal,
  )
  attachments.output('stderr', Buffer.from('x'))
  attachments.runEnded()
  leave.abort()
  attachments.output('stdout', Buffer.from('y'))
  expect(seen).toEqual(['stderr x', 'end'])
})
