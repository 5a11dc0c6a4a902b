import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { LayerView } from '@dinghy/images/layers/layer-view'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { changesOf } from './overlay-changes.ts'

let dir: string
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'overlay-changes-'))))
afterEach(() => rmSync(dir, { recursive: true }))

function tree(name: string, ...paths: string[]): string {
  for (const path of paths) {
    mkdirSync(dirname(join(dir, name, path)), { recursive: true })
    writeFileSync(join(dir, name, path), '')
  }
  return join(dir, name)
}

test('the merged view is asked only of directories that may hide what is below', async () => {
  const lower = new LayerView([{ directory: tree('lower', 'usr/bin/a', 'srv/a', 'etc/a') }])
  const upper = tree('upper', 'usr/new', 'srv/a', 'etc/new')
  const merged = tree('merged', 'etc/new')
  const asked: string[] = []
  const changes = (own: string[]) =>
    changesOf(upper, lower, new Set(own), async () => {
      asked.push('merged')
      return merged
    })
  expect(await changes(['/usr'])).toEqual([
    { path: '/etc', kind: 'modify' },
    { path: '/etc/new', kind: 'add' },
    { path: '/etc/a', kind: 'delete' },
    { path: '/srv', kind: 'modify' },
    { path: '/srv/a', kind: 'modify' },
    { path: '/usr', kind: 'modify' },
    { path: '/usr/new', kind: 'add' },
  ])
  expect(asked).toEqual(['merged'])
})
