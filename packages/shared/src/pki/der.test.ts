import { expect, test } from 'vitest'
import {
  boolean,
  contentOf,
  integer,
  namedBits,
  objectIdentifier,
  octetString,
  partsOf,
  sequence,
  time,
} from './der.ts'

test.each<[string, Buffer, string]>([
  ['zero', integer(Buffer.from([0])), '020100'],
  ['a number whose first bit is set', integer(Buffer.from([0x80])), '02020080'],
  ['zeros in front', integer(Buffer.from([0, 0, 1])), '020101'],
  ['true', boolean(true), '0101ff'],
  ['digital signature', namedBits(1), '03020780'],
  ['digital signature, key encipherment, certificate sign', namedBits(1 | 4 | 32), '030202a4'],
  ['decipher only', namedBits(256), '0303070080'],
  ['an identifier', objectIdentifier('1.2.840.113549.1.1.11'), '06092a864886f70d01010b'],
  ['this century', time(Date.UTC(2026, 0, 2, 3, 4, 5, 678)), `170d${Buffer.from('260102030405Z').toString('hex')}`],
  ['a later time', time(Date.UTC(2050, 0, 1)), `180f${Buffer.from('20500101000000Z').toString('hex')}`],
  ['nothing', sequence(), '3000'],
  ['127 bytes', octetString(Buffer.alloc(127)).subarray(0, 2), '047f'],
  ['128 bytes', octetString(Buffer.alloc(128)).subarray(0, 3), '048180'],
  ['1000 bytes', octetString(Buffer.alloc(1000)).subarray(0, 4), '048203e8'],
])('%s', (_what, written, hex) => {
  expect(written.toString('hex')).toBe(hex)
})

test('what was written is read again', () => {
  const parts = [boolean(false), octetString(Buffer.alloc(300)), sequence(boolean(true)), octetString(Buffer.alloc(0))]
  expect(partsOf(sequence(...parts))).toEqual(parts)
  expect(contentOf(octetString(Buffer.from('x'.repeat(200)))).toString()).toBe('x'.repeat(200))
})
