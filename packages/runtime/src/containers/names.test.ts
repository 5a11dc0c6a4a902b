import { expect, test } from 'vitest'
import { checkName, inventName, newId } from './names.ts'

test.each(['web', '/web', 'a.b_c-d', '0x'])('%s can be a name', (name) => {
  expect(checkName(name)).toBe(name.replace('/', ''))
})

test.each(['', '/', 'a', '-web', 'we b', 'a/b', 'ünder'])('%j cannot be a name', (name) => {
  expect(() => checkName(name)).toThrow('Invalid container name')
})

test('an invented name is free and valid', () => {
  const taken = new Set<string>()
  for (let count = 0; count < 2000; count++) {
    const name = inventName((candidate) => taken.has(candidate))
    expect(checkName(name)).toBe(name)
    expect(taken.has(name)).toBe(false)
    taken.add(name)
  }
})

test('ids are 64 hex digits', () => {
  expect(newId()).toMatch(/^[0-9a-f]{64}$/)
})
