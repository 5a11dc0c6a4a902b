import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { newHouse } from '../testing/house.ts'

let house: ReturnType<typeof newHouse>
beforeEach(() => {
  house = newHouse()
})
afterEach(() => house.close())

function withMount(mount: object) {
  const Mounts = [{ Type: 'volume' as const, Source: 'vol', Target: '/x/', ...mount }]
  return house.create(['serve'], { HostConfig: { Mounts } })
}

test('a volume that --mount makes has the labels and options it was given', async () => {
  const device = join(house.root, 'elsewhere')
  const Options = { type: 'none', o: 'bind', device }
  await withMount({ VolumeOptions: { Labels: { a: 'b' }, DriverConfig: { Name: 'local', Options } } })
  expect(house.volumes.get('vol')).toMatchObject({ labels: { a: 'b' }, options: Options, mountpoint: device })
  await expect(withMount({ Source: 'other', VolumeOptions: { DriverConfig: { Name: 'nfs' } } })).rejects.toThrow(
    'plugin "nfs" not found',
  )
})

test('a subpath is what is mounted, and is looked for at every start', async () => {
  const { mountpoint } = house.volumes.create({ Name: 'vol' })
  const container = await withMount({ VolumeOptions: { Subpath: 'sub' } })
  await expect(house.lifecycle.start(container)).rejects.toThrow('no such file or directory')
  symlinkSync('/etc', join(mountpoint, 'out'))
  mkdirSync(join(mountpoint, 'sub'))
  await house.lifecycle.start(container)
  const mount = house.driver.runs.at(-1)?.spec.mounts.find(({ target }) => target === '/x')
  expect(mount?.source).toBe(join(mountpoint, 'sub'))
  const out = await withMount({ VolumeOptions: { Subpath: 'out', NoCopy: true } })
  await expect(house.lifecycle.start(out)).rejects.toMatchObject({
    status: 400,
    message: expect.stringContaining('escapes'),
  })
})

test('a bind that is to exist is not made, however its target is written', async () => {
  const Source = join(house.root, 'missing')
  await expect(withMount({ Type: 'bind', Source })).rejects.toThrow('bind source path does not exist')
})
