import { expect, test } from 'vitest'
import { exitCodeOf, publishedPorts } from './run.ts'

test.each([
  ['exec: "x": executable file not found in $PATH: unknown', 127],
  ['exec: "/x": stat /x: no such file or directory: unknown', 127],
  ['exec: "/etc/passwd": permission denied: unknown', 126],
  ['Conflict. The container name "/x" is already in use', 125],
])('%s ends with %i', (message, code) => {
  expect(exitCodeOf(message)).toBe(code)
})

test('ports', () => {
  expect(publishedPorts(['8080:80', '127.0.0.1::80', '90/udp'])).toEqual({
    exposed: { '80/tcp': {}, '90/udp': {} },
    bindings: {
      '80/tcp': [
        { HostIp: '', HostPort: '8080' },
        { HostIp: '127.0.0.1', HostPort: '' },
      ],
      '90/udp': [{ HostIp: '', HostPort: '' }],
    },
  })
  expect(() => publishedPorts(['http'])).toThrow('"http" is no port mapping')
})
