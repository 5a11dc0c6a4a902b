import { expect, test } from 'vitest'
import { hostsFile, isReachableServer, namedResolvConf, resolvConf } from './hosts-file.ts'

test('a hosts file names the container itself, extra hosts and peers', () => {
  const text = hostsFile(
    [{ ip: '127.17.0.2', names: ['web.example', 'web'] }],
    ['db:10.0.0.1', 'me:host-gateway', 'six:::1'],
    [{ ip: '127.17.0.3', names: ['api', 'api', 'abc'] }],
    '127.17.0.1',
  )
  expect(text).toContain('127.0.0.1\tlocalhost\n')
  expect(text).toContain('127.17.0.2\tweb.example web\n')
  expect(text).toContain('10.0.0.1\tdb\n')
  expect(text).toContain('127.17.0.1\tme\n')
  expect(text).toContain('::1\tsix\n')
  expect(text).toContain('127.17.0.3\tapi abc\n')
})

test("resolv.conf is the machine's, line by line replaced by what the container asks for", () => {
  const host = '# by dhcp\nnameserver 1.1.1.1\nsearch home\noptions ndots:1\n'
  expect(resolvConf(host, [], [], [])).toBe('nameserver 1.1.1.1\nsearch home\noptions ndots:1\n')
  expect(resolvConf(host, ['9.9.9.9'], ['a', 'b'], [])).toBe('options ndots:1\nnameserver 9.9.9.9\nsearch a b\n')
  expect(resolvConf(host, [], ['.'], ['ndots:5'])).toBe('nameserver 1.1.1.1\noptions ndots:5\n')
})

test('from a network of its own a container cannot ask a server on the loopback interface', () => {
  const host = 'nameserver 127.0.0.53\nnameserver 1.1.1.1\nnameserver fe80::1\nsearch home\n'
  expect(resolvConf(host, [], [], [], isReachableServer)).toBe('nameserver 1.1.1.1\nsearch home\n')
  expect(resolvConf('nameserver 127.0.0.1\n', [], [], [], isReachableServer)).toBe('\n')
  expect(resolvConf(host, ['127.0.0.1'], ['.'], [], isReachableServer)).toBe('nameserver 127.0.0.1\n')
})

test('where a name server of ours answers it is the only one', () => {
  const host = 'nameserver 1.1.1.1\nnameserver 2.2.2.2\nsearch home\noptions edns0 trust-ad\n'
  const named = 'nameserver 127.0.0.11\nsearch home\noptions edns0 trust-ad ndots:0\n'
  expect(namedResolvConf('127.0.0.11', host, [], [])).toBe(named)
  expect(namedResolvConf('127.0.0.11', '', ['.'], [])).toBe('nameserver 127.0.0.11\noptions ndots:0\n')
  expect(namedResolvConf('127.0.0.11', host, ['a', 'b'], ['ndots:5'])).toBe(
    'nameserver 127.0.0.11\nsearch a b\noptions ndots:5\n',
  )
  expect(namedResolvConf('127.0.0.11', host, [], ['ndots:x'])).toContain('options ndots:x ndots:0')
})
