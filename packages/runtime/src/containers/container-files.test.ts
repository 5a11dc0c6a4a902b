import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { newHouse } from '../testing/house.ts'
import type { Container } from './container.ts'

let house: ReturnType<typeof newHouse>
beforeEach(() => {
  house = newHouse()
})
afterEach(() => house.close())

async function withFile(body = {}): Promise<Container> {
  const container = await house.create(['serve'], body)
  const root = join(container.rootfsDir, 'root')
  mkdirSync(join(root, 'etc'))
  writeFileSync(join(root, 'etc/motd'), 'hello')
  symlinkSync('/etc/motd', join(root, 'link'))
  symlinkSync('../../../../../../etc', join(root, 'outside'))
  return container
}

async function contentOf(container: Container, path: string): Promise<string> {
  const entry = await house.containers.files.open(container, path)
  try {
    return readFileSync(entry.path, 'utf8')
  } finally {
    entry.close()
  }
}

/** The container's root goes away with its process, and the runtime hears of the end only after that. */
function endsWhenAsked(): void {
  house.snapshotter.checkLive = () => {
    house.driver.end(0)
    throw Object.assign(new Error('no such file: /proc/1/root'), { code: 'ENOENT' })
  }
}

test('a link is itself, unless the path goes on behind it', async () => {
  const container = await withFile()
  const kept = await house.containers.files.open(container, '/link')
  expect(kept.stat()?.isSymbolicLink()).toBe(true)
  kept.close()
  expect(await contentOf(container, '/link/')).toBe('hello')
  expect(await contentOf(container, '/outside/motd')).toBe('hello')
})

test.each(['/none', '/none/at/all', '/etc/motd/below'])('%s is not there, in Docker’s words', async (path) => {
  const container = await withFile()
  const opening = house.containers.files.open(container, path)
  await expect(opening).rejects.toThrow(`Could not find the file ${path} in container ${container.name}`)
})

test('a stopped container’s volumes are looked into where they are', async () => {
  const container = await withFile({ HostConfig: { Binds: ['data:/data'] } })
  writeFileSync(join(house.volumes.get('data').mountpoint, 'file'), 'in the volume')
  expect(await contentOf(container, '/data/file')).toBe('in the volume')
})

test('what a container that ends right now would not tell any more is told as of a stopped one', async () => {
  const container = await withFile()
  await house.lifecycle.start(container)
  endsWhenAsked()
  expect(await contentOf(container, '/etc/motd')).toBe('hello')
  expect(container.state.status).toBe('exited')
  await house.lifecycle.start(container)
  house.snapshotter.changed = [{ path: '/new', kind: 'add' }]
  expect(await house.containers.files.changes(container)).toEqual([{ path: '/new', kind: 'add' }])
  await house.lifecycle.start(container)
  expect(await house.containers.files.pathIn(container, '/etc')).toBe(join(container.rootfsDir, 'root/etc'))
})

test('a failure of a container that runs on is one', async () => {
  const container = await withFile()
  await house.lifecycle.start(container)
  house.snapshotter.checkLive = () => {
    throw new Error('cannot look')
  }
  await expect(house.containers.files.changes(container)).rejects.toThrow('cannot look')
})

test.each([
  ['', undefined],
  ['app', { uid: 1000, gid: 50 }],
  ['1000', 'user: unknown user 1000'],
  ['app:staff', 'user: unknown user app:staff'],
])('who owns what docker cp -a brings, for the user %j', async (User, owner) => {
  const container = await withFile({ User })
  writeFileSync(join(container.rootfsDir, 'root/etc/passwd'), 'root:x:0:0::/:/bin/sh\napp:x:1000:50::/:/bin/sh\n')
  const asked = house.containers.files.ownerOf(container)
  if (typeof owner === 'string') await expect(asked).rejects.toThrow(owner)
  else expect(await asked).toEqual(owner)
})
