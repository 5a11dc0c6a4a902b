import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { findExecutable, type Lookup } from './executable.ts'

const root = mkdtempSync(join(tmpdir(), 'exe-'))
afterAll(() => rmSync(root, { recursive: true }))
const elf = join(root, 'elf')
const script = join(root, 'script')
const orphan = join(root, 'orphan')
const text = join(root, 'text')
writeFileSync(elf, process.platform === 'linux' ? '\x7fELF…' : Buffer.from([0xcf, 0xfa, 0xed, 0xfe]))
writeFileSync(script, '#!/bin/sh -e\necho hi\n')
writeFileSync(orphan, '#!/bin/nothing\n')
writeFileSync(text, 'just words')

const files: Record<string, { hostPath: string; mode?: number; isFile?: boolean }> = {
  '/bin/sh': { hostPath: elf },
  '/usr/bin/tool': { hostPath: script },
  '/usr/bin/plain': { hostPath: elf, mode: 0o644 },
  '/usr/bin/orphan': { hostPath: orphan },
  '/usr/bin/text': { hostPath: text },
  '/app/run': { hostPath: elf },
  '/etc': { hostPath: root, isFile: false },
}
function lookup(path: string): ReturnType<Lookup> {
  const file = files[path]
  return file && { path, mode: 0o755, isFile: true, ...file }
}
function find(name: string, env = ['PATH=/bin:/usr/bin']) {
  return findExecutable({ args: [name], env, cwd: '/app' }, lookup)
}

test.each([
  ['sh', '/bin/sh'],
  ['tool', '/usr/bin/tool'],
  ['/app/run', '/app/run'],
  ['./run', '/app/run'],
])('%s is %s', (name, path) => {
  expect(find(name)).toBe(path)
})

test.each([
  ['nope', 'exec: "nope": executable file not found in $PATH: unknown'],
  ['', 'exec: "": executable file not found in $PATH: unknown'],
  ['/nope', 'exec: "/nope": stat /nope: no such file or directory: unknown'],
  ['plain', 'exec: "plain": permission denied: unknown'],
  ['/etc', 'exec: "/etc": is a directory: permission denied: unknown'],
  ['orphan', 'exec orphan: no such file or directory: unknown'],
  ['text', 'exec text: exec format error: unknown'],
])('%s cannot be started', (name, message) => {
  expect(() => find(name)).toThrow(message)
})

test('without PATH the default is searched, an empty part is the working directory', () => {
  expect(find('tool', [])).toBe('/usr/bin/tool')
  expect(find('run', ['PATH=:/bin'])).toBe('/app/run')
})
