import { describe, expect, test } from 'vitest'
import {
  generateName,
  isConfigMapKey,
  isDns1035Label,
  isDns1123Label,
  isDns1123Subdomain,
  isEnvVarName,
  isIpAddress,
  isLabelValue,
  isPathSegmentName,
  isPortName,
  isPortNumber,
  isQualifiedName,
  isWildcardDns1123Subdomain,
  nameWithHash,
  randomSuffix,
  safeEncode,
} from './names.ts'

function long(length: number) {
  return 'a'.repeat(length)
}

describe('valid and invalid names', () => {
  test.each<[string, (value: string) => string[], string[], string[]]>([
    ['label', isDns1123Label, ['a', 'web-1', '9', long(63)], ['', 'Web', '-a', 'a-', 'a.b', 'a_b', long(64)]],
    ['subdomain', isDns1123Subdomain, ['a', 'a.b-c.d', long(253)], ['', 'A', 'a..b', '.a', 'a.', 'a/b', long(254)]],
    ['DNS-1035', isDns1035Label, ['a', 'a-1'], ['', '1a', 'a-', 'A']],
    ['wildcard', isWildcardDns1123Subdomain, ['*.a.b'], ['a.b', '*', '*.', '*.*.a']],
    ['qualified', isQualifiedName, ['a', 'A.b_c', 'x.y/Name', 'x/1'], ['', '/a', 'a/', 'a/b/c', 'A/b', '-a', long(64)]],
    ['label value', isLabelValue, ['', 'a', 'A.b_c-1', long(63)], ['-a', 'a-', 'a b', long(64)]],
    ['config key', isConfigMapKey, ['a', '.bashrc', 'a_b-c.D'], ['', '.', '..', '..a', 'a/b', long(254)]],
    ['env var', isEnvVarName, ['A', 'my.env-name', '1 a'], ['', 'a=b', 'é']],
    ['port name', isPortName, ['http', 'p-1', 'a'], ['', '80', 'a--b', '-a', 'Http', long(16)]],
    ['IP', isIpAddress, ['10.0.0.1', '::1'], ['10.0.0', 'a', '010.0.0.1x']],
    ['path segment', isPathSegmentName, ['system:node', 'a b'], ['.', '..', 'a/b', 'a%b']],
  ])('%s', (_what, check, valid, invalid) => {
    for (const value of valid) expect([value, check(value)]).toEqual([value, []])
    for (const value of invalid) expect([value, check(value).length > 0]).toEqual([value, true])
  })

  test('port numbers', () => {
    expect([0, 1, 65535, 65536, 1.5].map((port) => isPortNumber(port).length === 0)).toEqual([
      false,
      true,
      true,
      false,
      false,
    ])
  })
})

test('messages are the ones that people search for', () => {
  expect(isDns1123Label('Web')).toEqual([
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
  ])
  expect(isDns1123Subdomain('Web')).toEqual([
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
  ])
  expect(isLabelValue(long(64))).toEqual(['must be no more than 63 bytes'])
  expect(isQualifiedName('')).toEqual([
    'name part must be non-empty',
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
  ])
})

test('names that are made up', () => {
  expect(randomSuffix(5)).toMatch(/^[bcdfghjklmnpqrstvwxz2456789]{5}$/)
  expect(randomSuffix(40)).not.toBe(randomSuffix(40))
  expect(generateName('web-')).toMatch(/^web-[bcdfghjklmnpqrstvwxz2456789]{5}$/)
  expect(generateName(long(70))).toHaveLength(63)
  expect(nameWithHash('web', 'abc')).toBe('web-abc')
  expect(nameWithHash(long(300), 'abc')).toHaveLength(253)
  expect(safeEncode('1234567890')).toMatch(/^[bcdfghjklmnpqrstvwxz2456789]{10}$/)
})
