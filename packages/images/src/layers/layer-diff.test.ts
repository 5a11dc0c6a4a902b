import { chmodSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { buffer } from 'node:stream/consumers'
import type { Change } from './snapshotter.ts'
import { diffLayer } from './layer-diff.ts'
import { readTar } from '../files/tar.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'layer-diff-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

function diff(changes: Change[]) {
  return diffLayer(changes, (path) => Promise.resolve(join(root, path)))
}

async function entries(changes: Change[]): Promise<string[]> {
  const found: string[] = []
  for await (const { header, body } of readTar(diff(changes))) {
    let content = ''
    for await (const chunk of body) content += chunk.toString()
    const target = header.linkname === undefined ? '' : ` -> ${header.linkname}`
    found.push(`${header.type} ${header.mode.toString(8)} ${header.name}${target}${content && ` = ${content}`}`)
  }
  return found
}

test('changes become entries with their parents, deletions become whiteouts', async () => {
  mkdirSync(join(root, 'etc/app'), { recursive: true, mode: 0o755 })
  chmodSync(join(root, 'etc/app'), 0o700)
  writeFileSync(join(root, 'etc/app/conf'), 'x=1')
  chmodSync(join(root, 'etc/app/conf'), 0o640)
  linkSync(join(root, 'etc/app/conf'), join(root, 'etc/app/same'))
  symlinkSync('/etc/app/conf', join(root, 'etc/link'))
  expect(
    await entries([
      { path: '/etc/app/same', kind: 'add' },
      { path: '/etc/link', kind: 'add' },
      { path: '/etc/old', kind: 'delete' },
      { path: '/etc/app/conf', kind: 'modify' },
      { path: '/gone', kind: 'delete' },
    ]),
  ).toEqual([
    'directory 755 etc/',
    'directory 700 etc/app/',
    'file 640 etc/app/conf = x=1',
    'link 640 etc/app/same -> etc/app/conf',
    'symlink 777 etc/link -> /etc/app/conf',
    'file 600 etc/.wh.old',
    'file 600 .wh.gone',
  ])
})

test('the same changes give the same bytes, whatever their order and sub-second times', async () => {
  for (const name of ['a', 'b', 'c']) writeFileSync(join(root, name), name)
  const changes = ['/b', '/a', '/c'].map((path) => ({ path, kind: 'add' as const }))
  for (const name of ['a', 'b', 'c']) utimesSync(join(root, name), 5.1, 5.1)
  const first = await buffer(diff(changes))
  for (const name of ['a', 'b', 'c']) utimesSync(join(root, name), 5.9, 5.9)
  expect(first.equals(await buffer(diff([...changes].reverse())))).toBe(true)
})

test('a file that vanished fails the archive', async () => {
  await expect(buffer(diff([{ path: '/nothing', kind: 'add' }]))).rejects.toThrow('ENOENT')
})
