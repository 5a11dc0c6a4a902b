/**
 * The dialect of the house, as far as no lint rule can say it: reads the source as text, because comments and layout
 * are half of what it is about. What oxlint can say stands in .oxlintrc.json.
 *
 * A rule is a function from one file to the lines that break it; a failure names them all.
 */

import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve, sep } from 'node:path'
import { describe, expect, test } from 'vitest'

interface SourceFile {
  path: string
  lines: string[]
}

/** The numbers of the lines that break the rule, counted from one. */
type Rule = (file: SourceFile) => number[]

const root = resolve(import.meta.dirname, '../..')
const widest = 120

const rules: Record<string, Rule> = {
  'a file opens by saying what it is: a comment before anything else': ({ path, lines }) => {
    // A test beside its source speaks of that; the suites in test/ stand alone.
    if (path.startsWith('packages') && path.endsWith('.test.ts')) return []
    const first = lines[0]?.startsWith('#!') ? 1 : 0
    return lines[first]?.startsWith(path.endsWith('.sh') ? '# ' : '/**') ? [] : [first + 1]
  },
  'constants are camelCase, never UPPER_CASE': linesThat((line) =>
    /^\s*(export )?(const|let|static( readonly)?|readonly) [A-Z][A-Z0-9]*(_[A-Z0-9]+)*\b *[:=]/.test(line),
  ),
  // A constructor cannot be #private.
  'members are #private, never `private` or `protected`': linesThat((line) =>
    /^\s*(private|protected) (?!constructor\()/.test(line),
  ),
  'functions at the top level are declarations, not arrows': linesThat((line) =>
    /^(export )?(const|let) \w+(: .+)? = (async )?(\([^)]*\)|\w+)(: [^=]+)? =>/.test(line),
  ),
  // The formatter sees to code. One that ends a line begins with a space, two slashes and a space.
  [`comments stay within ${widest} columns`]: linesThat(
    (line) => line.length > widest && /^\s*(\/\/|\/\*|\*|#)| \/\/ /.test(line) && !/https?:\/\/\S{60}/.test(line),
  ),
  'an error that is dropped has a comment directly above, or in its block, that says why': ({ lines }) =>
    lines.flatMap((line, index) => {
      const next = lines[index + 1] ?? ''
      const dropped =
        /\.catch\(\(\) => (undefined|null|true|false|\d+|\{\}|\[\]|\(\{\}\)|'.*'|"")\)/.test(line) ||
        (/\bcatch \{$/.test(line) && /^\s*(return|continue|break|\})/.test(next))
      return dropped && !isComment(lines[index - 1]) ? [index + 1] : []
    }),
}

// This file's own table is made of what the rules forbid.
const files = ['packages', 'scripts', 'test']
  .flatMap(sourcesIn)
  .filter(({ path }) => !path.endsWith('/dialect.test.ts'))

test.each(Object.entries(rules))('%s', (_, rule) => {
  const broken = files.flatMap((file) =>
    rule(file).map((line) => `${file.path}:${line}: ${file.lines[line - 1]?.trim()}`),
  )
  expect(broken).toEqual([])
})

// A source archive has no history. Older titles were written before there was a rule.
test.runIf(existsSync(join(root, '.git')))('titles of commits stay within 60 characters', () => {
  const log = ['log', '--since=2026-11-30T17:08:00Z', '--format=%h %s']
  const commits = execFileSync('git', log, { cwd: root, encoding: 'utf8' }).split('\n')
  expect(commits.filter((line) => line.slice(line.indexOf(' ') + 1).length > 60)).toEqual([])
})

describe('each rule finds what it is for', () => {
  test.each([
    ['opens by saying', "import { a } from 'b'", 1],
    ['opens by saying', '#!/usr/bin/env node\n/** Says it. */', 0],
    ['camelCase', 'export const MAX_SIZE = 3', 1],
    ['camelCase', 'const maxSize = MAX_SIZE', 0],
    ['#private', '  private count = 0', 1],
    ['#private', '  private constructor(count: number) {', 0],
    ['declarations', 'export const twice = (n: number): number => 2 * n', 1],
    ['declarations', '  const twice = (n: number) => 2 * n', 0],
    ['columns', `// ${'x'.repeat(widest)}`, 1],
    ['columns', `const text = '' // ${'x'.repeat(widest)}`, 1],
    ['columns', `const text = '${'x'.repeat(widest)}'`, 0],
    ['dropped', 'await sleep(ms).catch(() => undefined)', 1],
    ['dropped', "const text = await read().catch(() => '')", 1],
    ['dropped', 'try {\n  read()\n} catch {\n  return undefined\n}', 1],
    ['dropped', 'try {\n  read()\n} catch {\n  // It need not be there.\n  return undefined\n}', 0],
    ['dropped', '// The wait may end early.\nawait sleep(ms).catch(() => undefined)', 0],
  ])('%s: %s', (name, text, found) => {
    const rule = Object.entries(rules).find(([title]) => title.includes(name))?.[1]
    expect(rule?.({ path: 'packages/x/src/x.ts', lines: text.split('\n') })).toHaveLength(found)
  })
})

function isComment(line = ''): boolean {
  return /^\s*(\/\/|\/\*|\*)/.test(line)
}

function linesThat(breaks: (line: string) => boolean): Rule {
  return ({ lines }) => lines.flatMap((line, index) => (breaks(line) ? [index + 1] : []))
}

function sourcesIn(folder: string): SourceFile[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.(ts|tsx|mjs|cjs|sh)$/.test(path) && !/(^|[\\/])(node_modules|dist)[\\/]/.test(path))
    .map((path) => join(folder, path))
    .map((path) => ({ path: path.split(sep).join('/'), lines: readFileSync(join(root, path), 'utf8').split('\n') }))
}
