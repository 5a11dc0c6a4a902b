import { expect, test } from 'vitest'
import { pod } from '../testing/objects.ts'
import { hostsFile } from './etc-hosts.ts'

const facts = { podIP: '10.244.1.7', hostname: 'web-0', machineHosts: '127.0.0.1 localhost\n10.0.0.1 machine\n' }
function lastLines(text: string, count: number) {
  return text.split('\n').slice(-count - 1, -1)
}

test('a pod knows itself, by its full name too when it has a subdomain', () => {
  expect(lastLines(hostsFile(pod(), facts), 1)).toEqual(['10.244.1.7\tweb-0'])
  const named = hostsFile(pod({ subdomain: 'web' }), facts)
  expect(lastLines(named, 1)).toEqual(['10.244.1.7\tweb-0.web.default.svc.cluster.local\tweb-0'])
  expect(named.split('\n').slice(0, 2)).toEqual(['# Kubernetes-managed hosts file.', '127.0.0.1\tlocalhost'])
})

test('aliases come last', () => {
  const aliased = pod({ hostAliases: [{ ip: '1.2.3.4', hostnames: ['a', 'b'] }] })
  expect(lastLines(hostsFile(aliased, facts), 3)).toEqual(['', '# Entries added by HostAliases.', '1.2.3.4\ta\tb'])
})

test('in the host’s network it sees the machine’s file', () => {
  expect(hostsFile(pod({ hostNetwork: true }), facts)).toBe(
    '# Kubernetes-managed hosts file (host network).\n127.0.0.1 localhost\n10.0.0.1 machine\n',
  )
})
