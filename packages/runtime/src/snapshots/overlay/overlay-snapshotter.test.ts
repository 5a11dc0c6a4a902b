import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isMachineRoot } from '@dinghy/images/files/user-namespace'
import type { Rootfs } from '@dinghy/images/layers/snapshotter'
import { FakeClock } from '@dinghy/shared/api/clock'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { OverlaySnapshotter } from './overlay-snapshotter.ts'

/** Only the machine's root makes device nodes and mounts overlays, on Linux. */
describe.runIf(process.platform === 'linux' && isMachineRoot())('overlays', () => {
  let dir: string
  let snapshots: OverlaySnapshotter
  let rootfs: Rootfs
  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'overlays-'))
    snapshots = new OverlaySnapshotter(join(dir, 'own'), new FakeClock())
    rootfs = {
      layers: [
        layer('base', { 'etc/motd': 'base', 'etc/gone': 'x', 'seed/a': 'seeded' }),
        layer('top', { 'etc/motd': 'top' }),
      ],
      hostBase: false,
      dir: join(dir, 'container'),
    }
    await snapshots.prepare(rootfs)
  })
  afterEach(async () => {
    await snapshots.close()
    rmSync(dir, { recursive: true, force: true })
  })

  /** As the layer store keeps them. */
  function layer(name: string, files: Record<string, string>): string {
    const root = join(dir, name, 'files')
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(join(root, path, '..'), { recursive: true })
      writeFileSync(join(root, path), content)
    }
    writeFileSync(join(dir, name, 'layer.json'), JSON.stringify({ opaque: [] }))
    return root
  }
  async function contentOf(path: string): Promise<string> {
    const entry = await snapshots.open(rootfs, path, { followLast: false })
    try {
      return readFileSync(entry.path, 'utf8')
    } finally {
      entry.close()
    }
  }

  test('the uppermost layer counts, and the root can be written to', async () => {
    expect(await contentOf('/etc/motd')).toBe('top')
    writeFileSync(await snapshots.pathIn(rootfs, '/etc/motd'), 'mine')
    expect(readFileSync(join(await snapshots.changedDirectory(rootfs, '/etc'), 'motd'), 'utf8')).toBe('mine')
    expect(readFileSync(join(dir, 'top/files/etc/motd'), 'utf8')).toBe('top')
    await expect(snapshots.pathIn(rootfs, '/none')).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('changes are what was added, changed and deleted', async () => {
    writeFileSync(join(await snapshots.pathIn(rootfs, '/etc'), 'new'), '')
    writeFileSync(await snapshots.pathIn(rootfs, '/etc/motd'), 'mine')
    rmSync(await snapshots.pathIn(rootfs, '/etc/gone'))
    expect(await snapshots.changes(rootfs)).toEqual([
      { path: '/etc', kind: 'modify' },
      { path: '/etc/gone', kind: 'delete' },
      { path: '/etc/motd', kind: 'modify' },
      { path: '/etc/new', kind: 'add' },
    ])
  })

  test('what a directory hides that was made anew is deleted', async () => {
    rmSync(await snapshots.pathIn(rootfs, '/seed'), { recursive: true })
    mkdirSync(join(await snapshots.pathIn(rootfs, '/'), 'seed'))
    expect(await snapshots.changes(rootfs)).toContainEqual({ path: '/seed/a', kind: 'delete' })
  })

  test('a directory of the image seeds a volume; what is none does not', async () => {
    mkdirSync(join(dir, 'volume'))
    await snapshots.copyOut(rootfs, '/seed', join(dir, 'volume'))
    await snapshots.copyOut(rootfs, '/etc/motd', join(dir, 'volume'))
    expect(readFileSync(join(dir, 'volume/a'), 'utf8')).toBe('seeded')
    expect(existsSync(join(dir, 'volume/motd'))).toBe(false)
  })

  test('a host base shows this machine’s programs, and none of its secrets', async () => {
    rootfs = { layers: [], hostBase: true, dir: join(dir, 'based') }
    await snapshots.prepare(rootfs)
    expect((await snapshots.pathIn(rootfs, '/usr/bin/env')).endsWith('/usr/bin/env')).toBe(true)
    expect(await contentOf('/etc/passwd')).toContain('nobody:x:65534')
    await expect(snapshots.pathIn(rootfs, '/etc/shadow')).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('mount points are made before a start, which lets go of the view', async () => {
    await snapshots.pathIn(rootfs, '/')
    await snapshots.prepareStart(rootfs)
    const mounts = snapshots.prepareMounts(rootfs, [
      { type: 'tmpfs', source: '', target: '/run/here', readOnly: false },
      { type: 'bind', source: join(dir, 'base'), target: '/etc/../data', readOnly: true },
    ])
    expect(mounts.map(({ target }) => target)).toEqual(['/run/here', '/data'])
    snapshots.makeDirectory(rootfs, '/work/dir')
    expect(['run/here', 'data', 'work/dir'].map((path) => existsSync(join(rootfs.dir, 'upper', path)))).toEqual([
      true,
      true,
      true,
    ])
    const plan = snapshots.plan(rootfs)
    expect(plan).toMatchObject({ lowerCount: 3, hostOverlays: [], isVolatile: false })
    expect(snapshots.fstab(rootfs, true)).toMatch(/^overlay .* lowerdir=0:1:2,.*,ro 0 0\n$/)
  })

  test('a removed root is gone, and so is what it was mounted from', async () => {
    await snapshots.pathIn(rootfs, '/')
    await snapshots.cleanup(rootfs)
    expect(existsSync(rootfs.dir)).toBe(false)
    await snapshots.cleanup(rootfs)
  })
})
