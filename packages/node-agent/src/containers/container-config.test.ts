import { describe, expect, test } from 'vitest'
import type { Container, PodSpec } from '@dinghy/shared/api/types'
import { container, pod, podUid } from '../testing/objects.ts'
import { containerConfig } from './container-config.ts'
import { containerHash, containerNameFor } from '../observed/labels.ts'
import { DockerClient } from '../docker/docker-client.ts'
import { EngineNetwork } from '../network/engine-network.ts'
import { hostnameOf, sandboxConfig } from './sandbox-config.ts'

function configOf(overrides: Partial<Container>, spec: Partial<PodSpec> = {}, imageUser = '') {
  return containerConfig({
    pod: pod(spec),
    container: container(overrides),
    sandboxId: 'pause1',
    hostname: 'web',
    variables: new Map([['A', '1']]),
    mounts: [],
    labels: {},
    imageUser,
  })
}

const network = new EngineNetwork(new DockerClient('/nowhere'), {
  node: 'node-1',
  subnet: '10.0.0.0/24',
  gateway: '10.0.0.1',
})

function sandboxOf(spec: Partial<PodSpec>) {
  return sandboxConfig({
    pod: pod(spec),
    node: 'node-1',
    network: network.sandboxOf(pod(spec)),
    image: 'pause',
    attempt: 0,
    dns: { servers: ['10.96.0.10'], domain: 'cluster.local' },
  })
}

test('a plain container joins its sandbox', () => {
  const { HostConfig, ...config } = configOf({ command: ['run'], args: ['$(A)'], workingDir: '/srv' })
  expect(config).toMatchObject({
    Image: 'busybox:1',
    Env: ['HOSTNAME=web', 'A=1'],
    Entrypoint: ['run'],
    Cmd: ['1'],
    WorkingDir: '/srv',
    Tty: false,
  })
  expect(HostConfig).toEqual({
    NetworkMode: 'container:pause1',
    IpcMode: 'container:pause1',
    Mounts: [],
    // containerLogMaxSize 10Mi, containerLogMaxFiles 5
    LogConfig: { Type: 'json-file', Config: { 'max-size': '10485760', 'max-file': '5' } },
    SecurityOpt: ['seccomp=unconfined'],
  })
  expect(config).not.toHaveProperty('User')
})

test.each<[string, Partial<Container>, Partial<PodSpec>, object]>([
  [
    'limits',
    { resources: { limits: { cpu: '500m', memory: '64Mi' } } },
    {},
    { NanoCpus: 5e8, Memory: 67_108_864, CpuShares: 512 },
  ],
  ['a limit below the least of Docker', { resources: { limits: { memory: '5Mi' } } }, {}, { Memory: 6_291_456 }],
  ['a request', { resources: { requests: { cpu: '1m' } } }, {}, { CpuShares: 2 }],
  ['privileged', { securityContext: { privileged: true } }, {}, { Privileged: true }],
  [
    'capabilities',
    { securityContext: { capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] } } },
    {},
    { CapAdd: ['NET_ADMIN'], CapDrop: ['ALL'] },
  ],
  [
    'no escalation, a read-only root',
    { securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true } },
    {},
    { SecurityOpt: ['no-new-privileges', 'seccomp=unconfined'], ReadonlyRootfs: true },
  ],
  [
    'the default filter of system calls is asked for',
    { securityContext: { seccompProfile: { type: 'RuntimeDefault' }, allowPrivilegeEscalation: false } },
    {},
    { SecurityOpt: ['no-new-privileges'] },
  ],
  ['groups', {}, { securityContext: { fsGroup: 2000, supplementalGroups: [5] } }, { GroupAdd: ['5', '2000'] }],
  ['one process table', {}, { shareProcessNamespace: true }, { PidMode: 'container:pause1' }],
  ['the host’s processes', {}, { hostPID: true, hostIPC: true }, { PidMode: 'host', IpcMode: 'host' }],
])('host options: %s', (_name, overrides, spec, expected) => {
  expect(configOf(overrides, spec).HostConfig).toMatchObject(expected)
})

describe('the user', () => {
  test.each<[string, Partial<Container>, Partial<PodSpec>, string | undefined]>([
    ['the image’s', {}, {}, undefined],
    ['the pod’s', {}, { securityContext: { runAsUser: 1000 } }, '1000'],
    [
      'the container’s wins',
      { securityContext: { runAsUser: 7, runAsGroup: 8 } },
      { securityContext: { runAsUser: 1 } },
      '7:8',
    ],
  ])('%s', (_name, overrides, spec, expected) => {
    expect(configOf(overrides, spec).User).toBe(expected)
  })

  const where = `(pod: "web_default(${podUid})", container: app)`
  test.each([
    ['', `container has runAsNonRoot and image will run as root ${where}`],
    ['0', `container has runAsNonRoot and image will run as root ${where}`],
    [
      'nginx',
      `container has runAsNonRoot and image has non-numeric user (nginx), cannot verify user is non-root ${where}`,
    ],
  ])('runAsNonRoot refuses an image whose user is "%s"', (imageUser, message) => {
    expect(() => configOf({}, { securityContext: { runAsNonRoot: true } }, imageUser)).toThrow(message)
  })

  test('runAsNonRoot accepts a numeric user, of the image or of the pod', () => {
    const spec: Partial<PodSpec> = { securityContext: { runAsNonRoot: true } }
    expect(configOf({}, spec, '101:101').User).toBeUndefined()
    expect(configOf({ securityContext: { runAsUser: 5 } }, spec).User).toBe('5')
    expect(() => configOf({ securityContext: { runAsUser: 0 } }, spec)).toThrow('runAsUser breaks non-root policy')
  })
})

describe('the sandbox', () => {
  test.each<[string, Partial<PodSpec>, object]>([
    ['has the node’s network and can share its IPC', {}, { NetworkMode: 'node-1', IpcMode: 'shareable' }],
    ['may live in the host’s network', { hostNetwork: true }, { NetworkMode: 'host' }],
    [
      'opens a hostPort on the node',
      { containers: [container({ ports: [{ containerPort: 80, hostPort: 8080 }] })] },
      { PortBindings: { '80/tcp': [{ HostIp: '10.0.0.1', HostPort: '8080' }] } },
    ],
    [
      'asks the cluster’s name server',
      {},
      {
        Dns: ['10.96.0.10'],
        DnsSearch: ['default.svc.cluster.local', 'svc.cluster.local', 'cluster.local'],
        DnsOptions: ['ndots:5'],
      },
    ],
    [
      'merges its own DNS settings',
      { dnsConfig: { nameservers: ['1.1.1.1'], options: [{ name: 'ndots', value: '2' }, { name: 'rotate' }] } },
      { Dns: ['10.96.0.10', '1.1.1.1'], DnsOptions: ['ndots:2', 'rotate'] },
    ],
    [
      'has only its own with None',
      { dnsPolicy: 'None', dnsConfig: { nameservers: ['1.1.1.1'] } },
      { Dns: ['1.1.1.1'] },
    ],
  ])('%s', (_name, spec, expected) => {
    expect(sandboxOf(spec).HostConfig).toMatchObject(expected)
  })

  test.each<[string, Partial<PodSpec>]>([
    ['Default', { dnsPolicy: 'Default' }],
    ['hostNetwork', { hostNetwork: true }],
  ])('uses the machine’s name servers with %s', (_name, spec) => {
    expect(sandboxOf(spec).HostConfig).not.toHaveProperty('Dns')
  })

  test('has a host name of at most 63 characters', () => {
    const long = pod({}, {}, { name: `${'a'.repeat(62)}.b` })
    expect(hostnameOf(long)).toBe('a'.repeat(62))
    expect(hostnameOf(pod({ hostname: 'db-0' }))).toBe('db-0')
  })
})

test('a container’s name says whose it is; its hash changes with the image only', () => {
  expect(containerNameFor(pod(), 'app', 2)).toBe(`k8s_app_web_default_${podUid}_2`)
  expect(containerHash(container({ args: ['x'] }))).toBe(containerHash(container()))
  expect(containerHash(container({ image: 'busybox:2' }))).not.toBe(containerHash(container()))
})
