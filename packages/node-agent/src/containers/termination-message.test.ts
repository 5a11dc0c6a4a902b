import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { DockerClient } from '../docker/docker-client.ts'
import { FakeEngine } from '../testing/fake-engine.ts'
import { exited } from '../testing/observed.ts'
import { createMessageFile, messageFile, readMessage } from './termination-message.ts'

let directory: string
let engine: FakeEngine
let docker: DockerClient
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'termination-message-'))
  engine = new FakeEngine()
  await engine.listen(join(directory, 'docker.sock'))
  docker = new DockerClient(join(directory, 'docker.sock'))
})
afterEach(async () => {
  await engine.close()
  await rm(directory, { recursive: true })
})

const app = exited('app', 1)
const fallsBack = { ...app, terminationMessagePolicy: 'FallbackToLogsOnError' }

async function ended(output: string, options: { Tty?: boolean } = {}): Promise<string> {
  const body = { Image: 'busybox:1', Cmd: ['serve'], Labels: {}, HostConfig: { NetworkMode: 'none' }, ...options }
  const { id } = await docker.createContainer('app', body)
  await docker.startContainer(id)
  const container = engine.containers.get(id)
  if (container) engine.say(container, output)
  return id
}

test('is what the container wrote to its file', async () => {
  const path = messageFile(directory, 'app', 0)
  await createMessageFile(path)
  expect(await readMessage(docker, directory, app)).toBeUndefined()
  await writeFile(path, 'out of paper')
  expect(await readMessage(docker, directory, app)).toBe('out of paper')
})

test('is the last 4096 bytes of a file of any size, and no more than that is read', async () => {
  const path = messageFile(directory, 'app', 0)
  await mkdir(dirname(path), { recursive: true })
  const file = await open(path, 'w')
  // Larger than any buffer: reading all of it would fail.
  const size = 2 ** 33
  await file.write('the end', size - 7)
  await file.close()
  const message = await readMessage(docker, directory, app)
  expect(message).toHaveLength(4096)
  expect(message?.endsWith('\0the end')).toBe(true)
})

test.each([true, false])('is the end of the log if the policy says so (tty: %s)', async (Tty) => {
  const id = await ended(`${'x'.repeat(100_000)}last words`, { Tty })
  expect(await readMessage(docker, directory, { ...app, id, tty: Tty })).toBeUndefined()
  const message = await readMessage(docker, directory, { ...fallsBack, id, tty: Tty })
  expect(message).toHaveLength(2048)
  expect(message).toMatch(/^x+last words$/)
  expect(await readMessage(docker, directory, { ...fallsBack, id, exitCode: 0 })).toBeUndefined()
})
