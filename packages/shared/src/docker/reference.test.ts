import { describe, expect, test } from 'vitest'
import { familiarName, fullName, isIdPrefix, parseReference, withDefaultTag } from './reference.ts'

const digest = `sha256:${'a'.repeat(64)}`

describe('parseReference', () => {
  test.each([
    ['node', 'docker.io/library/node', 'node'],
    ['node:20-alpine', 'docker.io/library/node:20-alpine', 'node:20-alpine'],
    ['docker.io/node', 'docker.io/library/node', 'node'],
    ['index.docker.io/library/node', 'docker.io/library/node', 'node'],
    ['me/app', 'docker.io/me/app', 'me/app'],
    ['library/a/b', 'docker.io/library/a/b', 'library/a/b'],
    ['localhost/app', 'localhost/app', 'localhost/app'],
    ['localhost:5000/app:1', 'localhost:5000/app:1', 'localhost:5000/app:1'],
    ['[::1]:5000/app', '[::1]:5000/app', '[::1]:5000/app'],
    ['registry.k8s.io/pause:3.10', 'registry.k8s.io/pause:3.10', 'registry.k8s.io/pause:3.10'],
    [`node@${digest}`, `docker.io/library/node@${digest}`, `node@${digest}`],
    [`node:20@${digest}`, `docker.io/library/node:20@${digest}`, `node:20@${digest}`],
    ['a__b/c--d', 'docker.io/a__b/c--d', 'a__b/c--d'],
  ])('%s is %s', (text, full, familiar) => {
    const reference = parseReference(text)
    expect(fullName(reference)).toBe(full)
    expect(familiarName(reference)).toBe(familiar)
    expect(parseReference(full)).toEqual(reference)
  })

  test.each([
    ['', 'invalid reference format'],
    ['a:', 'invalid reference format'],
    ['a//b', 'invalid reference format'],
    ['-a', 'invalid reference format'],
    ['a b', 'invalid reference format'],
    ['a@sha256:abc', 'invalid reference format'],
    ['a:tag/../../x', 'invalid reference format'],
    ['../x', 'invalid reference format'],
    ['Node', 'invalid reference format: repository name (library/Node) must be lowercase'],
    [`a@md5:${'0'.repeat(32)}`, 'unsupported digest algorithm'],
    ['a'.repeat(257), 'repository name must not be more than 255 characters'],
    ['f'.repeat(64), `invalid repository name (${'f'.repeat(64)}), cannot specify 64-byte hexadecimal strings`],
  ])('refuses %j', (text, message) => {
    expect(() => parseReference(text)).toThrow(new Error(message))
  })
})

test('the default tag is latest, unless a digest says more', () => {
  expect(withDefaultTag(parseReference('node')).tag).toBe('latest')
  expect(withDefaultTag(parseReference('node:20')).tag).toBe('20')
  expect(withDefaultTag(parseReference(`node@${digest}`)).tag).toBeUndefined()
})

test('an id prefix is hexadecimal', () => {
  expect(['44a0b3864b3f', 'sha256:44', digest].map(isIdPrefix)).toEqual([true, true, true])
  expect(['node', 'sha256:', 'sha512:44'].map(isIdPrefix)).toEqual([false, false, false])
})
