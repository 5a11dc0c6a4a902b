import { describe, expect, test } from 'vitest'
import { listenAddressesOf, readTlsFiles } from './listen-address.ts'

describe('listenAddressesOf', () => {
  test.each([
    ['unix:///run/d.sock', { kind: 'unix', path: '/run/d.sock' }],
    ['tcp://127.0.0.1:2376', { kind: 'tcp', host: '127.0.0.1', port: 2376 }],
    ['tcp://0.0.0.0:99', { kind: 'tcp', host: '0.0.0.0', port: 99 }],
    ['tcp://127.0.0.1', { kind: 'tcp', host: '127.0.0.1', port: 2376 }],
    ['tcp://:4000', { kind: 'tcp', host: '127.0.0.1', port: 4000 }],
    ['tcp://[::1]:4000', { kind: 'tcp', host: '::1', port: 4000 }],
    ['localhost:4000', { kind: 'tcp', host: 'localhost', port: 4000 }],
  ])('%s', (text, address) => {
    expect(listenAddressesOf([text], true)).toEqual([address])
  })

  test.each(['unix://', 'fd://', 'npipe:////./pipe/x', 'tcp://', 'tcp://1.2.3.4:70000', 'tcp://a:b:c', ''])(
    'refuses %s',
    (text) => {
      expect(() => listenAddressesOf([text], true)).toThrow(/invalid bind address/)
    },
  )

  test('without TLS only sockets', () => {
    expect(listenAddressesOf(['unix:///a', 'unix:///b'], false)).toHaveLength(2)
    expect(() => listenAddressesOf(['unix:///a', 'tcp://127.0.0.1:2375'], false)).toThrow(/without --tlsverify/)
    expect(() => listenAddressesOf([], false)).toThrow(/nothing to listen on/)
  })
})

test('readTlsFiles says which file is missing', () => {
  const flags = { tlsverify: true, tlscacert: undefined, tlscert: undefined, tlskey: undefined }
  expect(() => readTlsFiles(flags, { DOCKER_CERT_PATH: '/nosuch' })).toThrow(/CA certificate.*\/nosuch\/ca\.pem/)
})
