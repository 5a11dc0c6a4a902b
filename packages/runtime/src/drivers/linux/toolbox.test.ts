import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parseLibraries, prepareToolbox } from './toolbox.ts'
import { which } from './tools.ts'

test('libraries as the ldd of glibc tells them', () => {
  const output = `	linux-vdso.so.1 (0x00007ffd)
	libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f9c)
	/lib64/ld-linux-x86-64.so.2 (0x00007f9d)
`
  expect(parseLibraries(output)).toEqual(['/lib/x86_64-linux-gnu/libc.so.6', '/lib64/ld-linux-x86-64.so.2'])
})

test('and as that of musl does', () => {
  const output = `	/lib/ld-musl-x86_64.so.1 (0x7f1)
	libc.musl-x86_64.so.1 => /lib/ld-musl-x86_64.so.1 (0x7f1)
`
  expect([...new Set(parseLibraries(output))]).toEqual(['/lib/ld-musl-x86_64.so.1'])
})

test('a static program has none', () => {
  expect(parseLibraries('\tstatically linked\n')).toEqual([])
})

describe.skipIf(process.platform !== 'linux')('on this machine', () => {
  const sh = which('sh') ?? ''
  let directory: string
  beforeEach(() => (directory = join(mkdtempSync(join(tmpdir(), 'toolbox-')), 'tools')))
  afterEach(() => rmSync(join(directory, '..'), { recursive: true }))

  test('programs and what they load are copied to where they are, and run from there', () => {
    prepareToolbox(directory, [sh])
    expect(execFileSync(join(directory, sh), ['-c', 'echo here'], { encoding: 'utf8' })).toBe('here\n')
    const [library = ''] = parseLibraries(execFileSync('ldd', [sh], { encoding: 'utf8' }))
    expect(existsSync(join(directory, library))).toBe(true)
    expect(readFileSync(join(directory, 'proc/self/mountinfo'), 'utf8')).toBe('')
  })

  test('they are copied again only when one has changed', () => {
    prepareToolbox(directory, [sh])
    const before = statSync(join(directory, sh)).ino
    prepareToolbox(directory, [sh])
    expect(statSync(join(directory, sh)).ino).toBe(before)
    writeFileSync(`${directory}.made-of`, 'another version\n')
    writeFileSync(join(directory, 'left-over'), '')
    prepareToolbox(directory, [sh])
    expect(existsSync(join(directory, 'left-over'))).toBe(false)
  })
})
