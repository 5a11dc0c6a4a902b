import { expect, test } from 'vitest'
import { hasFormat } from './formats.ts'

test.each<[string, string[], string[]]>([
  ['uri', ['https://example.com/a?b', '/only/a/path', 'urn:a:b'], ['', 'a b', 'relative/path', 'http://%zz']],
  ['email', ['me@example.com', 'Me <me@example.com>'], ['me', 'a@b@c', '@x']],
  ['hostname', ['example.com', 'a', 'xn--bcher-kva.example'], ['-a', 'a..b', `${'a'.repeat(64)}.com`]],
  ['ipv4', ['10.0.0.1'], ['10.0.0.256', '::1']],
  ['ipv6', ['::1', 'fe80::1'], ['10.0.0.1', 'x']],
  ['cidr', ['10.0.0.0/8', '::/0'], ['10.0.0.0', '10.0.0.0/33']],
  ['mac', ['00:11:22:33:44:55', '0011.2233.4455'], ['00:11:22', 'zz:11:22:33:44:55']],
  ['uuid', ['6BA7B810-9DAD-11D1-80B4-00C04FD430C8'], ['6ba7b810']],
  ['uuid4', ['f47ac10b-58cc-4372-a567-0e02b2c3d479'], ['f47ac10b-58cc-1372-a567-0e02b2c3d479']],
  ['isbn', ['0321751043', '978-0321751041'], ['0321751044']],
  ['creditcard', ['4111 1111 1111 1111'], ['4111 1111 1111 1112']],
  ['hexcolor', ['#FFF', 'ffffff'], ['#ff']],
  ['rgbcolor', ['rgb(1, 2,255)'], ['rgb(1,2,256)']],
  ['byte', ['aGk='], ['aGk', '']],
  ['date', ['2024-02-29'], ['2023-02-29', '2024-1-1']],
  ['date-time', ['2024-01-01T00:00:00Z', '2024-01-01T00:00:00.5+02:00'], ['2024-01-01', 'yesterday']],
  ['duration', ['1h30m', '3 days', '0'], ['soon', '1']],
  ['quantity', ['100m', '1Gi'], ['1Gx']],
  ['password', ['anything'], []],
])('%s', (format, good, bad) => {
  expect(good.filter((text) => !hasFormat(text, format))).toEqual([])
  expect(bad.filter((text) => hasFormat(text, format))).toEqual([])
})

test('a format that nobody knows means nothing', () => {
  expect(hasFormat('x', 'my-own')).toBeUndefined()
})
