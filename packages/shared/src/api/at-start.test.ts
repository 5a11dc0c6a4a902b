import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { expect, onTestFinished, test } from 'vitest'
import { atStart, begin } from './at-start.ts'

test('in an ordinary process it is done at once', () => {
  const done: string[] = []
  atStart(() => done.push('at start'))
  begin(() => done.push('main'))
  expect(done).toEqual(['at start', 'main'])
})

test('in a snapshot it is done by each process that wakes, in its own environment', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'dinghy-at-start-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const [source, blob] = [join(directory, 'main.cjs'), join(directory, 'main.blob')]
  const contents = `
    import { atStart, begin } from './at-start.ts'
    begin(() => console.log('main', process.argv[2]))
    atStart(() => console.log('at start', process.env.WHO))`
  const stdin = { contents, resolveDir: import.meta.dirname }
  await build({ stdin, outfile: source, bundle: true, format: 'cjs', platform: 'node' })
  const made = execFileSync(process.execPath, ['--snapshot-blob', blob, '--build-snapshot', source])
  expect(made.toString()).toBe('')
  for (const who of ['a', 'b']) {
    const woken = execFileSync(process.execPath, ['--snapshot-blob', blob, 'main.js', who], { env: { WHO: who } })
    expect(woken.toString()).toBe(`at start ${who}\nmain ${who}\n`)
  }
})
