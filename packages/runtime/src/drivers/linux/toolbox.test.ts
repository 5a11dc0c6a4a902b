import { execFileSync } from 'node:child_process'
import { closeSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openToolbox, parseLibraries, prepareToolbox } from './toolbox.ts'
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

  test.runIf(process.getuid?.() === 0)('opened, it can only be read, and is mounted nowhere', async () => {
    prepareToolbox(directory, [sh])
    const opened = await openToolbox(directory, 'bind,ro')
    try {
      expect(() => writeFileSync(`${opened}${sh}`, '')).toThrow('EROFS')
      expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(directory)
      expect(readdirSync(`${opened}/..`)).toEqual(readdirSync(directory))
    } finally {
      closeSync(Number(basename(opened)))
    }
  })

  test('one that cannot be mounted is an error', async () => {
    await expect(openToolbox(directory, 'bind,ro')).rejects.toThrow(`cannot mount the toolbox in ${directory}: `)
  })
})
