import { expect, test } from 'vitest'
import type { PortBinding } from './ports.ts'
import { publishRequests } from './ports.ts'

function request(containerPort: number, hostPorts: number[], hostIp = '', protocol = 'tcp') {
  return {
    containerPort,
    protocol,
    hostIp,
    hostPorts,
  }
}

test.each([
  ['-p 8080:80', { '80/tcp': [{ HostIp: '', HostPort: '8080' }] }, [request(80, [8080])]],
  ['-p 80', { '80/tcp': [{ HostIp: '', HostPort: '' }] }, [request(80, [0])]],
  [
    '-p 127.0.0.1:53:53/udp',
    { '53/udp': [{ HostIp: '127.0.0.1', HostPort: '53' }] },
    [request(53, [53], '127.0.0.1', 'udp')],
  ],
  ['-p 8000-8002:80', { '80/tcp': [{ HostIp: '', HostPort: '8000-8002' }] }, [request(80, [8000, 8001, 8002])]],
  ['exposed only', { '80/tcp': null }, []],
])('%s', (_name, bindings, expected) => {
  expect(publishRequests(bindings, [], false)).toEqual(expected)
})

test('-P publishes what is exposed and not published already', () => {
  const bindings = { '80/tcp': [{ HostIp: '', HostPort: '8080' }] }
  expect(publishRequests(bindings, ['80/tcp', '81/tcp'], true)).toEqual([request(80, [8080]), request(81, [0])])
})

test.each<Record<string, PortBinding[]>>([
  { http: [] },
  { '80/sctp': [] },
  { '0/tcp': [] },
  { '80/tcp': [{ HostIp: '', HostPort: '9-8' }] },
])('%o is refused', (bindings) => {
  expect(() => publishRequests(bindings, [], false)).toThrow('invalid port specification')
})
