import { expect, test } from 'vitest'
import { StateDir } from '../cluster/state-dir.ts'
import { someConfig } from '../testing/temporary-state.ts'
import { componentsOf } from './components.ts'
import { runtimeLauncher } from './launchers.ts'

const state = new StateDir('/s')

function flagsOf(name: string, config = {}): string[] {
  return (
    componentsOf({ ...someConfig, ...config }, state)
      .find((spec) => spec.name === name)
      ?.args.slice(1) ?? []
  )
}

test('wires the components together by the addresses of the slot', () => {
  expect(flagsOf('api-server')).toEqual([
    '--listen=127.0.0.1:6474',
    '--database=/s/state.db',
    '--service-cidr=127.127.0.0/16',
    '--tls-cert-file=/s/pki/apiserver.crt',
    '--tls-private-key-file=/s/pki/apiserver.key',
    '--client-ca-file=/s/pki/ca.crt',
    '--admin-socket=/s/kubernetes-admin.sock',
    '--service-account-signing-key-file=/s/pki/sa.key',
    '--kubelet-certificate-authority=/s/pki/ca.crt',
    '--kubelet-client-certificate=/s/pki/apiserver-kubelet-client.crt',
    '--kubelet-client-key=/s/pki/apiserver-kubelet-client.key',
    '--requestheader-client-ca-file=/s/pki/front-proxy-ca.crt',
    '--proxy-client-cert-file=/s/pki/front-proxy-client.crt',
    '--proxy-client-key-file=/s/pki/front-proxy-client.key',
    '--authorization-mode=Node,RBAC',
    '--default-toleration-seconds=10',
    '--exit-with-parent',
    '--run-file',
    '/s/run/api-server.json',
  ])
  expect(flagsOf('node-agent-node-2')).toContain('--node-address=127.95.2.1')
  expect(flagsOf('scheduler')).toContain('--leader-elect=true')
})

test('in machines mode what belongs to a node lives in its namespace, and all else on the machine', () => {
  const config = { network: 'machines' as const, slot: 0, dns: true, nft: true }
  expect(flagsOf('api-server', config)).toEqual(
    expect.arrayContaining([
      '--listen=127.0.0.1:6474,172.30.0.1:6474',
      '--advertise-address=172.30.0.1',
      '--service-cidr=10.96.0.0/16',
      '--cluster-dns-endpoint=172.30.0.1:53',
    ]),
  )
  expect(flagsOf('node-agent-node-2', config)).toEqual(
    expect.arrayContaining([
      '--node-address=172.30.0.12',
      '--pod-cidr=10.244.2.0/24',
      '--network=cni',
      '--network-namespace=/s/machines/node-2',
      '--debug-address=unix:/s/run/node-agent-node-2.debug.sock',
    ]),
  )
  expect(flagsOf('controller', config)).toContain('--load-balancer-pool=172.30.0.201-172.30.0.250')
  expect(flagsOf('proxy-node-1', config)).toEqual(
    expect.arrayContaining(['--proxy-mode=nftables', '--cluster-cidr=10.244.0.0/16']),
  )
  expect(flagsOf('gateway', config)).toEqual(
    expect.arrayContaining(['--proxy-mode=gateway', '--switch-cidr=172.30.0.0/24']),
  )
  expect(flagsOf('gateway')).toEqual([])
  expect(flagsOf('ingress', { ...config, lowPorts: true })).toEqual(
    expect.arrayContaining([
      '--http-listen=172.30.0.200:80,127.0.0.1:80,127.0.0.1:8080',
      '--publish-address=172.30.0.200',
    ]),
  )
  expect(flagsOf('proxy-node-1', { ...config, nft: false })).toContain('--proxy-mode=userspace')
  const launchers = componentsOf({ ...someConfig, ...config }, state).map(({ name, launcher }) => [name, launcher])
  expect(Object.fromEntries(launchers)).toMatchObject({
    'api-server': undefined,
    runtime: [],
    'node-agent-node-1': ['nsenter', '--net=/s/machines/node-1'],
    'proxy-node-2': ['nsenter', '--net=/s/machines/node-2'],
  })
})

test('for an ordinary user the machine is a namespace, too; runtime and gateway stay outside', () => {
  const config = { network: 'machines' as const, slot: 0, dns: true, rootless: true }
  const launchers = componentsOf({ ...someConfig, ...config }, state).map(({ name, launcher }) => [name, launcher])
  const inMachine = ['nsenter', '--net=/s/machines/machine']
  expect(Object.fromEntries(launchers)).toMatchObject({
    'api-server': inMachine,
    scheduler: inMachine,
    controller: inMachine,
    dns: inMachine,
    gateway: undefined,
    'node-agent-node-1': ['nsenter', '--net=/s/machines/node-1'],
  })
  expect(flagsOf('api-server', config)).toEqual(
    expect.arrayContaining([
      '--listen=127.0.0.1:6474,172.30.0.1:6474,unix:/s/kubernetes.sock',
      '--debug-address=unix:/s/run/api-server.debug.sock',
    ]),
  )
  expect(flagsOf('gateway', config)).toEqual(
    expect.arrayContaining([
      '--dial-sockets=/s/run',
      '--load-balancer-prefix=127.64.0',
      '--forward=127.0.0.1:8080=172.30.0.200:80,127.0.0.1:8443=172.30.0.200:443',
      '--api-server-listen=127.0.0.1:6474',
      '--api-server-socket=/s/kubernetes.sock',
      '--kubeconfig=/s/identities/gateway.conf',
    ]),
  )
  expect(flagsOf('proxy-node-2', config)).toContain('--dial-socket=/s/run/proxy-node-2.sock')
})

test('each component has an identity of its own', () => {
  const kubeconfigs = ['scheduler', 'controller', 'node-agent-node-2', 'proxy-node-2'].map((name) =>
    flagsOf(name).find((flag) => flag.startsWith('--kubeconfig=')),
  )
  expect(kubeconfigs).toEqual([
    '--kubeconfig=/s/identities/scheduler.conf',
    '--kubeconfig=/s/identities/controller-manager.conf',
    '--kubeconfig=/s/identities/kubelet-node-2.conf',
    '--kubeconfig=/s/identities/proxy.conf',
  ])
})

test('settings count more than defaults, those of one process more than those of its kind', () => {
  const settings = {
    'api-server': { 'default-toleration-seconds': '300' },
    'node-agent': { 'crash-loop-backoff-base': '1s', 'relist-period': '9s' },
    'node-agent-node-2': { 'crash-loop-backoff-base': '2s' },
  }
  expect(flagsOf('api-server', { settings })).toContain('--default-toleration-seconds=300')
  expect(flagsOf('node-agent-node-1', { settings })).toContain('--crash-loop-backoff-base=1s')
  expect(flagsOf('node-agent-node-2', { settings })).toEqual(
    expect.arrayContaining(['--crash-loop-backoff-base=2s', '--relist-period=9s']),
  )
  expect(flagsOf('proxy-node-1', { logLevel: 'debug' })).toContain('--log-level=debug')
})

test.each([
  [{ runtime: { root: '/x' } }, 'runtime.root cannot be set'],
  [{ proxy: { 'run-file': '/x' } }, 'proxy-node-1.run-file cannot be set'],
  [{ kubelet: { x: 'y' } }, 'there is no component "kubelet" to set flags of; there are api-server, scheduler'],
])('refuses the settings %j', (settings, message) => {
  expect(() => componentsOf({ ...someConfig, settings }, state)).toThrow(message)
})

test('the drivers that need no user namespace need no launcher', () => {
  expect(runtimeLauncher('/r', 'process')).toEqual([])
  expect(runtimeLauncher('/r', 'oci')).toEqual([])
})

test('the ingress has ports 80 and 443 where that is allowed, others in any case, and nobody waits for it', () => {
  expect(flagsOf('ingress')).toEqual(
    expect.arrayContaining([
      '--http-listen=127.95.0.80:8080,127.0.0.1:8111',
      '--https-listen=127.95.0.80:8443,127.0.0.1:8474',
      '--publish-address=127.95.0.80',
    ]),
  )
  expect(flagsOf('ingress', { lowPorts: true })).toEqual(
    expect.arrayContaining([
      '--http-listen=127.95.0.80:80,127.0.0.1:80,127.0.0.1:8111',
      '--https-listen=127.95.0.80:443,127.0.0.1:443,127.0.0.1:8474',
    ]),
  )
  const late = componentsOf(someConfig, state).filter(({ isLate }) => isLate)
  expect(late.map(({ name }) => name)).toEqual(['ingress'])
})

test('with DNS there is a server behind the tenth address of the Services, and pods ask it', () => {
  const [service, listen] = ['127.127.0.10', '127.95.0.53:5353']
  expect(flagsOf('dns', { dns: true })).toContain(`--listen=${listen}`)
  expect(flagsOf('api-server', { dns: true })).toEqual(
    expect.arrayContaining([`--cluster-dns=${service}`, `--cluster-dns-endpoint=${listen}`]),
  )
  expect(flagsOf('node-agent-node-1', { dns: true })).toContain(`--cluster-dns=${service}`)
  expect(flagsOf('dns')).toEqual([])
})
