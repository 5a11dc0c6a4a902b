import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { newEngine } from '../testing/engine.ts'

let house: Awaited<ReturnType<typeof newEngine>>
beforeEach(async () => {
  house = await newEngine()
  await house.lifecycle.start(await house.create(['serve'], {}, 'box'))
})
afterEach(() => house.close())

const terminal = { Tty: true, AttachStdin: true, AttachStdout: true, Cmd: ['cat'] }

test('the detach keys leave an exec running', async () => {
  const { engine, execs, told } = house
  const body = { ...terminal, DetachKeys: 'ctrl-a' }
  const { Id } = await engine.json<{ Id: string }>('POST', '/containers/box/exec', { body })
  expect(await engine.json('GET', `/exec/${Id}/json`)).toMatchObject({ DetachKeys: 'ctrl-a' })
  const { socket } = await engine.hijack(`/exec/${Id}/start`, { body: { Tty: true } })
  let output = ''
  socket.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const ended = new Promise((resolve) => socket.once('end', resolve))
  socket.write('hello')
  await vi.waitFor(() => expect(output).toBe('hello'))
  socket.write('\x01never')
  await ended
  expect(output).toBe('hello')
  expect(execs.get(Id).running).toBe(true)
  expect(told).toContain('exec_detach')
  socket.destroy()
})

test('detach keys that there are not', async () => {
  const body = { ...terminal, DetachKeys: 'ctrl-' }
  const refusal = { status: 400, message: expect.stringContaining('Invalid detach keys (ctrl-) provided') }
  await expect(house.engine.json('POST', '/containers/box/exec', { body })).rejects.toMatchObject(refusal)
  await expect(house.engine.hijack('/containers/box/attach?detachKeys=ctrl-')).rejects.toMatchObject(refusal)
})
