import { describe, expect, test } from 'vitest'
import { IgnorePatterns, patternExpression } from './dockerignore.ts'

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
    ['[^ab].txt', ['c.txt'], ['b.txt']],
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

  test.each<[string, string[]]>([
    ['a\n!a/b/c', ['a', 'a/b', 'a/b/c', 'd']],
    ['*\n!**/c', ['a', 'a/b', 'a/b/c']],
    ['a\n!a/*/missing', ['d']],
    ['a\n!a/missing', ['d']],
    ['!a/b/c\na', ['d']],
  ])('%j: an excluded directory is there if something in it is', (text, kept) => {
    const tree: Record<string, string[]> = { a: ['b', 'x'], 'a/b': ['c', 'y'] }
    const patterns = IgnorePatterns.parse(text)
    const paths = ['a', 'a/b', 'a/b/c', 'a/b/y', 'a/x', 'd']
    expect(paths.filter((path) => patterns.keeps(path, (directory) => tree[directory] ?? []))).toEqual(kept)
  })

  test('only directories that an exception may lie in are looked into', () => {
    const asked: string[] = []
    const list = (path: string) => {
      asked.push(path)
      return []
    }
    const patterns = IgnorePatterns.parse('node_modules\nsrc\n!src/keep')
    expect([patterns.keeps('node_modules', list), patterns.keeps('src', list)]).toEqual([false, false])
    expect(asked).toEqual(['src'])
  })
})

test('a pattern that cannot be', () => {
  expect(() => patternExpression('[a')).toThrow('syntax error in pattern: [a')
})
