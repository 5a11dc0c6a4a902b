import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Mount } from '../mount.ts'
import { LayerView } from '@dinghy/images/layers/layer-view'
import { prepareMountPoint } from './mount-points.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'mount-points-'))
  for (const name of ['rootfs/upper', 'volume', 'file-parent']) mkdirSync(join(dir, name), { recursive: true })
})
afterEach(() => rmSync(dir, { recursive: true }))

function bind(source: string, target: string, readOnly = false): Mount {
  return {
    type: 'bind',
    source: join(dir, source),
    target,
    readOnly,
  }
}
function tmpfs(target: string): Mount {
  return { type: 'tmpfs', source: '', target, readOnly: false }
}

function prepare(target: string, earlier: Mount[] = [], source = 'file-parent'): string {
  const mounted = earlier.map((mount) => ({ directory: mount.source, at: mount.target, covers: true }))
  const view = new LayerView([{ directory: join(dir, 'rootfs/upper') }, ...mounted])
  const rootfs = { layers: [], hostBase: false, dir: join(dir, 'rootfs') }
  return prepareMountPoint(view, rootfs, bind(source, target), earlier)
}

test('a missing target is made in the writable layer', () => {
  expect(prepare('/a/b')).toBe('/a/b')
  expect(statSync(join(dir, 'rootfs/upper/a/b')).isDirectory()).toBe(true)
})

test('a target in a volume is made in the volume', () => {
  expect(prepare('/data/sub/deep', [bind('volume', '/data')])).toBe('/data/sub/deep')
  expect(existsSync(join(dir, 'volume/sub/deep'))).toBe(true)
  expect(existsSync(join(dir, 'rootfs/upper/data'))).toBe(false)
})

test('a link in a volume leads to a place in the container, never on the machine', () => {
  symlinkSync('/', join(dir, 'volume/root'))
  expect(prepare('/data/root/usr/bin', [bind('volume', '/data')])).toBe('/usr/bin')
  expect(existsSync(join(dir, 'rootfs/upper/usr/bin'))).toBe(true)
})

test('who puts a link in the place of a directory in a volume gets nothing made on the machine', () => {
  // The view still has the directory; the link has come since.
  const stale = join(dir, 'stale')
  mkdirSync(join(stale, 'sub'), { recursive: true })
  mkdirSync(join(dir, 'machine'))
  symlinkSync(join(dir, 'machine'), join(dir, 'volume/sub'))
  const view = new LayerView([
    { directory: join(dir, 'rootfs/upper') },
    { directory: stale, at: '/data', covers: true },
  ])
  const rootfs = { layers: [], hostBase: false, dir: join(dir, 'rootfs') }
  const mount = bind('file-parent', '/data/sub/new')
  expect(() => prepareMountPoint(view, rootfs, mount, [bind('volume', '/data')])).toThrow(/ELOOP|ENOTDIR/)
  expect(existsSync(join(dir, 'machine/new'))).toBe(false)
})

test('what the image has below a mount does not count', () => {
  mkdirSync(join(dir, 'rootfs/upper/data'))
  symlinkSync('/elsewhere', join(dir, 'rootfs/upper/data/link'))
  expect(prepare('/data/link/x', [bind('volume', '/data')])).toBe('/data/link/x')
  expect(prepare('/data/link/x', [tmpfs('/data')])).toBe('/data/link/x')
})

test('nothing is made in a read-only volume', () => {
  expect(() => prepare('/data/sub', [bind('volume', '/data', true)])).toThrow('read-only file system')
  expect(existsSync(join(dir, 'volume/sub'))).toBe(false)
})

test('a file is not mounted on a directory, nor a directory on a file', () => {
  mkdirSync(join(dir, 'rootfs/upper/etc'))
  writeFileSync(join(dir, 'rootfs/upper/etc/passwd'), '')
  writeFileSync(join(dir, 'file'), '')
  const words = 'not a directory: unknown: Are you trying to mount a directory onto a file (or vice-versa)?'
  expect(() => prepare('/etc/passwd')).toThrow(words)
  expect(() => prepare('/etc', [], 'file')).toThrow(words)
  expect(prepare('/etc/passwd', [], 'file')).toBe('/etc/passwd')
})
