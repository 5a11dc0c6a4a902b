import { describe, expect, test } from 'vitest'
import { IgnorePatterns, patternExpression } from './ignore-patterns.ts'

describe('.dockerignore', () => {
  test.each<[string, string[], string[]]>([
    ['node_modules', ['node_modules', 'node_modules/a/b'], ['src/node_modules', 'node_modulesx']],
    ['**/node_modules', ['node_modules/x', 'a/b/node_modules'], ['a/node_modulesx']],
    ['*.log', ['a.log'], ['a/b.log', 'a.logx']],
    ['**/*.log', ['a.log', 'a/b/c.log'], ['a.txt']],
    ['a/**', ['a/b', 'a/b/c'], ['a', 'b']],
    ['/a', ['a', 'a/b'], ['b/a']],
    ['a/', ['a', 'a/b'], ['ab']],
    ['a?c', ['abc'], ['a/c', 'ac']],
    ['[ab].txt', ['a.txt', 'b.txt'], ['c.txt']],
    ['*\n!keep', ['x', 'y/z'], ['keep', 'keep/it']],
    ['*.md\n!README*.md\nREADME-secret.md', ['a.md', 'README-secret.md'], ['README.md', 'README-x.md']],
    ['# comment\n\n  spaced  ', ['spaced'], ['# comment']],
    ['a.b', ['a.b'], ['axb']],
    ['docs/../x', ['x'], ['docs']],
  ])('%j', (text, excluded, kept) => {
    const patterns = IgnorePatterns.parse(text)
    expect(excluded.filter((path) => !patterns.excludes(path))).toEqual([])
    expect(kept.filter((path) => patterns.excludes(path))).toEqual([])
  })

  test('an excluded directory is walked when an exception lies in it', () => {
    const patterns = IgnorePatterns.parse('a\n!a/b/c')
    expect(['a', 'a/b', 'a/b/c', 'a/x'].map((path) => patterns.shows(path))).toEqual([true, true, true, false])
  })
})

test('a pattern that cannot be', () => {
  expect(() => patternExpression('[a')).toThrow('syntax error in pattern: [a')
})
