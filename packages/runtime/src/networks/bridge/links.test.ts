import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import {
  aliasOf,
  bridgeBatch,
  interfaceBatch,
  linkLines,
  linkScript,
  macOf,
  nameServerRules,
  portBatch,
} from './links.ts'

const eth0 = {
  name: 'eth0',
  port: 'veth01234567',
  bridge: 'br-a',
  mac: '02:42:ac:11:00:02',
  address: '172.17.0.2/16',
  mtu: 1500,
}

test('a MAC is made of the address', () => {
  expect(macOf('172.17.0.2')).toBe('02:42:ac:11:00:02')
  expect(macOf('10.0.255.1')).toBe('02:42:0a:00:ff:01')
})

test('a bridge has an owner, a claim on its subnet, and is up last', () => {
  expect(bridgeBatch({ name: 'br-a', address: '10.1.0.1/24', mtu: 1400, owner: aliasOf('dinghy /my "#1 root"') })).toBe(
    `link add name br-a address 02:42:0a:01:00:01 mtu 1400 type bridge
link property add dev br-a altname dinghy-10.1.0.1-24
link set dev br-a alias "dinghy /my __1 root_" addrgenmode none
addr add 10.1.0.1/24 dev br-a
link set dev br-a up
`,
  )
})

test('a container is plugged in from both sides', () => {
  expect(portBatch([eth0], '/proc/7/ns/net')).toBe(
    `link add name veth01234567 mtu 1500 type veth peer name eth0 address 02:42:ac:11:00:02 mtu 1500 netns /proc/7/ns/net
link set dev veth01234567 master br-a addrgenmode none up
neigh replace 172.17.0.2 lladdr 02:42:ac:11:00:02 dev br-a nud stale
`,
  )
  expect(portBatch([{ ...eth0, isolated: true }], '/n')).toContain('dev veth01234567 type bridge_slave isolated on')
  const eth1 = { ...eth0, name: 'eth1', address: '10.0.0.2/8', gateway: '10.0.0.1' }
  expect(interfaceBatch([eth0, eth1])).toBe(
    `link set dev lo up
addr add 172.17.0.2/16 broadcast + dev eth0
link set dev eth0 up
addr add 10.0.0.2/8 broadcast + dev eth1
link set dev eth1 up
route replace default via 10.0.0.1 dev eth1
`,
  )
})

const withNameServer = { ...eth0, nameServer: { address: '172.17.0.1', port: 4000 } }

test('questions to 127.0.0.11 are sent to where the name server is, with an address of the container', () => {
  expect(interfaceBatch([withNameServer])).toContain(
    'route replace local 127.0.0.11 dev lo src 172.17.0.2 table local\n',
  )
  expect(nameServerRules([eth0])).toBe('')
  expect(nameServerRules([eth0], true)).toBe('table ip dinghy-names\ndelete table ip dinghy-names\n')
  expect(nameServerRules([eth0, { ...withNameServer, name: 'eth1' }])).toContain(
    'ip daddr 127.0.0.11 meta l4proto { tcp, udp } th dport 53 dnat to 172.17.0.1:4000\n',
  )
})

test.each([
  ['the prelude of a container', linkLines([{ ...eth0, gateway: '172.17.0.1' }]).join('\n')],
  ['the hook of an OCI runtime', linkScript([{ ...eth0, gateway: '172.17.0.1' }])],
  ['the prelude, with a name server', linkLines([withNameServer]).join('\n')],
  ['the hook, with a name server', linkScript([withNameServer])],
])('both moves as a shell script: %s', (_name, script) => {
  expect(script).toContain('netns /proc/$pid/ns/net')
  expect(spawnSync('sh', ['-n'], { input: script, encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' })
})

test.each([
  '{"id": "x", "pid": 17, "status": "created"}',
  '{\n  "ociVersion": "1.0",\n  "pid": 17,\n  "status": "creating"\n}',
])('the hook finds the pid in %j', (state) => {
  const [setE = '', findPid = ''] = linkScript([eth0]).split('\n')
  const { stdout } = spawnSync('sh', ['-c', `${setE}\n${findPid}\necho $pid`], { input: state, encoding: 'utf8' })
  expect(stdout).toBe('17\n')
})
