import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { once } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import { createLogger } from '@dinghy/shared/process/logger'
import { forwardToSocket } from './socket-forward.ts'

test('leads clients of a port to a socket, and says goodbye to them where nobody is behind it', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'socket-forward-'))
  const stop = new AbortController()
  onTestFinished(() => {
    stop.abort()
    rmSync(directory, { recursive: true })
  })
  const path = join(directory, 'api.sock')
  const log = createLogger({ name: 'test', clock: new FakeClock(), write: () => undefined })
  const port = 20_000 + (process.pid % 10_000)
  await forwardToSocket({ host: '127.0.0.1', port }, path, { log, signal: stop.signal })
  const ask = async (question: string) => {
    const client = connect(port, '127.0.0.1')
    client.end(question)
    return await text(client).catch(({ code }: NodeJS.ErrnoException) => code)
  }
  // With some of the question still unread the kernel says it in another way.
  expect(['', 'ECONNRESET']).toContain(await ask('anybody?'))
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let question = ''
    socket.on('data', (data) => (question += String(data))).on('end', () => socket.end(`you said ${question}`))
  })
  server.listen(path)
  await once(server, 'listening')
  expect(await ask('hello')).toBe('you said hello')
  server.close()
})
