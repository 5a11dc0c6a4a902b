import { describe, expect, test } from 'vitest'
import { hostPlatform } from '../content/oci.ts'
import { checkPlatform, parsePlatform, platformName, runsOn } from './platform.ts'

test.each([
  ['arm64', 'linux/arm64'],
  ['linux/x86_64', 'linux/amd64'],
  ['linux/arm64/v8', 'linux/arm64'],
  ['linux/arm/v7', 'linux/arm/v7'],
])('%s is %s', (text, name) => {
  expect(platformName(parsePlatform(text))).toBe(name)
})

test('a word that names neither a system nor an architecture', () => {
  expect(() => parsePlatform('foobar')).toThrow('"foobar": unknown operating system or architecture')
  expect(parsePlatform('linux')).toEqual(hostPlatform())
})

test.each([
  ['linux/amd64', 'linux/amd64', true],
  ['linux/arm64/v8', 'linux/arm64', true],
  ['linux/arm/v6', 'linux/arm/v7', true],
  ['linux/arm/v7', 'linux/arm/v6', false],
  ['linux/amd64', 'linux/arm64', false],
  ['windows/amd64', 'linux/amd64', false],
])('made for %s, asked for %s: %s', (offered, wanted, answer) => {
  expect(runsOn(parsePlatform(offered), parsePlatform(wanted))).toBe(answer)
})

describe('checkPlatform', () => {
  const foreign = { os: 'linux', architecture: 's390x' }

  test('what was asked for must be there', () => {
    expect(checkPlatform(foreign, 'app', 'linux/s390x')).toEqual([])
    expect(() => checkPlatform(foreign, 'app', 'linux/ppc64le')).toThrow(
      'image with reference app was found but its platform (linux/s390x) does not match the specified platform (linux/ppc64le)',
    )
  })

  test('nothing asked: a foreign image is worth a warning', () => {
    expect(checkPlatform(hostPlatform(), 'app', '')).toEqual([])
    expect(checkPlatform(foreign, 'app', '').join('')).toContain(
      "The requested image's platform (linux/s390x) does not",
    )
  })
})
