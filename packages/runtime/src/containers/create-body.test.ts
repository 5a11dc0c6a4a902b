import { expect, test } from 'vitest'
import { commandOf, completeConfig, completeHostConfig, mergeEnv, type CreateBody } from './create-body.ts'
import { environmentOf } from './runtime-spec.ts'

const id = '0123456789abcdef'.repeat(4)
const image = {
  Env: ['PATH=/bin', 'A=1'],
  Cmd: ['serve'],
  Entrypoint: ['/entry'],
  WorkingDir: '/app',
  User: 'node',
  Labels: { from: 'image', both: 'image' },
  ExposedPorts: { '80/tcp': {} },
  StopSignal: 'SIGQUIT',
}

test.each<[string, CreateBody, string[]]>([
  ['nothing of its own', {}, ['/entry', 'serve']],
  ['its own command', { Cmd: ['x', 'y'] }, ['/entry', 'x', 'y']],
  ['its own entrypoint drops the image command', { Entrypoint: ['/mine'] }, ['/mine']],
  ['both', { Entrypoint: ['/mine'], Cmd: ['z'] }, ['/mine', 'z']],
  ['[] means none, and keeps the image command', { Entrypoint: [] }, ['serve']],
  ['null is as good as nothing', { Entrypoint: null, Cmd: null }, ['/entry', 'serve']],
  ['--entrypoint "" means none', { Entrypoint: [''], Cmd: ['z'] }, ['z']],
  ['old clients send strings', { Entrypoint: '/mine', Cmd: 'z' }, ['/mine', 'z']],
])('the command with %s', (_name, body, command) => {
  expect(commandOf(completeConfig(body, image, id))).toEqual(command)
})

test('what create leaves out comes from the image', () => {
  const config = completeConfig({ Image: 'app', Labels: { both: 'mine' } }, image, id)
  expect(config).toMatchObject({
    Hostname: '0123456789ab',
    User: 'node',
    WorkingDir: '/app',
    Labels: { from: 'image', both: 'mine' },
    ExposedPorts: { '80/tcp': {} },
    StopSignal: 'SIGQUIT',
  })
})

test('variables replace those of the image, and one without a value stays to take it away', () => {
  expect(mergeEnv(['PATH=/bin', 'A=1', 'B=2'], ['A=3', 'B', 'C=x=y'])).toEqual(['PATH=/bin', 'A=3', 'B', 'C=x=y'])
  expect(environmentOf(['HOSTNAME=c', 'A=3', 'B', 'HOSTNAME', 'A=4'])).toEqual(['A=4'])
  expect(mergeEnv([], ['A=1'])[0]).toMatch(/^PATH=\/usr\/local\/sbin:/)
})

test.each<[string, CreateBody]>([
  ['no command specified', { Entrypoint: [''] }],
  ["the working directory 'rel' is invalid, it needs to be an absolute path", { WorkingDir: 'rel' }],
  ['Invalid signal: SIGNOPE', { StopSignal: 'SIGNOPE' }],
  ['invalid environment variable: =x', { Env: ['=x'] }],
  ['invalid port specification: "http"', { ExposedPorts: { http: {} } }],
])('%s', (message, body) => {
  expect(() => completeConfig(body, { ...image, Cmd: null }, id)).toThrow(message)
})

test.each([
  ['', 'bridge'],
  ['default', 'bridge'],
  ['host', 'host'],
  ['n1', 'n1'],
])('network mode %j is %s', (NetworkMode, expected) => {
  expect(completeHostConfig({ NetworkMode }).NetworkMode).toBe(expected)
})

test('what stands for no limit is shown as null', () => {
  const shown = { PidsLimit: null, MemorySwappiness: null }
  expect(completeHostConfig({ PidsLimit: 0, MemorySwappiness: -1 })).toMatchObject(shown)
  expect(completeHostConfig({ PidsLimit: -1 })).toMatchObject(shown)
  expect(completeHostConfig({ PidsLimit: 7, MemorySwappiness: 0 })).toMatchObject({ PidsLimit: 7, MemorySwappiness: 0 })
})

test("a pod's container may have any limit of memory", () => {
  const Memory = 4 * 1024 * 1024
  expect(completeHostConfig({ Memory }, { 'io.kubernetes.pod.uid': 'u' }).Memory).toBe(Memory)
})

test.each([
  ['Minimum memory limit allowed is 6MB', { Memory: 4 * 1024 * 1024 }],
  ['Minimum memoryswap limit should be larger than memory limit', { Memory: 2 ** 25, MemorySwap: 2 ** 24 }],
  ['You should always set the Memory limit when using Memoryswap limit', { MemorySwap: 2 ** 24 }],
  ['Conflicting options: Nano CPUs and CPU Period cannot both be set', { NanoCpus: 1e9, CpuPeriod: 1000 }],
  ["logger: no log driver named 'syslog' is registered", { LogConfig: { Type: 'syslog', Config: {} } }],
  ["unknown log opt 'foo' for json-file log driver", { LogConfig: { Type: '', Config: { foo: '1' } } }],
  ["invalid size: 'abc'", { LogConfig: { Type: 'json-file', Config: { 'max-size': 'abc' } } }],
  ['max-file cannot be less than 1', { LogConfig: { Type: 'local', Config: { 'max-file': '0' } } }],
  ['invalid container format', { NetworkMode: 'container:' }],
  ['bad format for add-host: "bad"', { ExtraHosts: ['bad'] }],
  ['invalid port specification: "abc"', { PortBindings: { '80/tcp': [{ HostIp: '', HostPort: 'abc' }] } }],
  ['invalid IPC mode: foo', { IpcMode: 'foo' }],
  ['invalid PID mode: container:', { PidMode: 'container:' }],
  ['invalid UTS mode: container:x', { UTSMode: 'container:x' }],
])('%s', (message, hostConfig) => {
  expect(() => completeHostConfig(hostConfig)).toThrow(message)
})

test.each([
  ['Interval in Healthcheck cannot be less than 1ms', { Interval: 1000 }],
  ['StartPeriod in Healthcheck cannot be less than 1ms', { StartPeriod: -1 }],
  ['Retries in Healthcheck cannot be negative', { Retries: -1 }],
])('%s', (message, change) => {
  const Healthcheck = { Test: ['CMD', 'true'], ...change }
  expect(() => completeConfig({ Cmd: ['x'], Healthcheck }, {}, 'id')).toThrow(message)
})

test('unknown fields of HostConfig are kept', () => {
  expect(completeHostConfig({ BlkioWeight: 300 })['BlkioWeight']).toBe(300)
})

test.each([
  [{ 'kernel.shmmax': '1', 'fs.mqueue.msg_max': '10' }, '', undefined],
  [{ 'kernel.core_pattern': '|/tmp/x' }, '', 'sysctl "kernel.core_pattern" is not in a separate kernel namespace'],
  [{ 'net.ipv4.ip_forward': '1' }, '', undefined],
  [{ 'net..kernel.core_pattern': '1' }, '', 'sysctl "net..kernel.core_pattern" is not in a separate kernel namespace'],
  [{ 'net.a/../x': '1' }, '', 'sysctl "net.a/../x" is not in a separate kernel namespace'],
  [{ 'kernel/core_pattern': 'x' }, '', 'sysctl "kernel/core_pattern" is not in a separate kernel namespace'],
  [{ 'kernel.sem': '1' }, 'host', 'sysctl "kernel.sem" is not allowed in the hosts ipc namespace'],
])('sysctls %j with IPC mode "%s"', (Sysctls, IpcMode, message) => {
  const complete = () => completeHostConfig({ Sysctls, IpcMode })
  if (message === undefined) expect(complete).not.toThrow()
  else expect(complete).toThrow(message)
})

test.each([
  ['host', 'sysctl "net.core.somaxconn" is not allowed in the hosts network namespace'],
  ['container:x', 'sysctl "net.core.somaxconn" is not in a separate kernel namespace'],
  ['ns:/run/netns/x', 'sysctl "net.core.somaxconn" is not in a separate kernel namespace'],
])('a network parameter with network mode %s', (NetworkMode, message) => {
  expect(() => completeHostConfig({ Sysctls: { 'net.core.somaxconn': '1' }, NetworkMode })).toThrow(message)
})

test('MAC addresses', () => {
  const complete = (MacAddress: string) => completeConfig({ MacAddress, Cmd: ['x'] }, {}, 'id').MacAddress
  expect([complete('02:42:AC:11:00:02'), complete('')]).toEqual(['02:42:AC:11:00:02', undefined])
  expect(() => complete('02:42')).toThrow('invalid MAC address: 02:42')
})

test.each([
  ['{"OomScoreAdj": "1; touch /tmp/x"}', 'invalid HostConfig.OomScoreAdj'],
  ['{"ShmSize": "1,exec"}', 'invalid HostConfig.ShmSize'],
  ['{"Ulimits": [{"Name": "pid", "Soft": 1, "Hard": 1}]}', 'invalid ulimit type: pid'],
  ['{"Ulimits": [{"Name": "nofile", "Soft": "1", "Hard": 1}]}', 'invalid ulimit nofile'],
])('what is no number is refused: %s', (json, message) => {
  expect(() => completeHostConfig(JSON.parse(json))).toThrow(message)
})
