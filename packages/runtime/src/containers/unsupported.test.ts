import { expect, test } from 'vitest'
import { completeHostConfig } from './create-body.ts'
import { checkSupported, discarded } from './unsupported.ts'

const check =
  (body: object, seccomp = false) =>
  () =>
    checkSupported(completeHostConfig(body), { cpus: 2, seccomp })

test.each<[string, object]>([
  ['HostConfig.BlkioWeight is not supported', { BlkioWeight: 300 }],
  ['HostConfig.BlkioDeviceReadBps is not supported', { BlkioDeviceReadBps: [{ Path: '/dev/vda', Rate: 1 }] }],
  ['range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available', { NanoCpus: 99e9 }],
  [
    'could not select device driver "" with capabilities: [[gpu]]',
    { DeviceRequests: [{ Driver: '', Count: -1, Capabilities: [['gpu']] }] },
  ],
  ['unknown or invalid runtime name: foo', { Runtime: 'foo' }],
  ['--storage-opt is not supported', { StorageOpt: { size: '10G' } }],
  ['invalid isolation (process)', { Isolation: 'process' }],
  ['invalid --security-opt 2: "foo=bar"', { SecurityOpt: ['no-new-privileges', 'foo=bar'] }],
  ['invalid --security-opt 1: "seccomp={}"', { SecurityOpt: ['seccomp={}'] }],
])('%s', (message, body) => {
  expect(check(body)).toThrow(message)
})

test('a seccomp profile is taken by a driver that enforces it', () => {
  expect(check({ SecurityOpt: ['seccomp={}'] }, true)).not.toThrow()
  expect(check({ SecurityOpt: ['apparmor=mine'] }, true)).toThrow('invalid --security-opt 1')
})

test('what Docker leaves out with a warning', () => {
  const warnings = (body: object) => discarded(completeHostConfig(body))
  expect(warnings({ OomKillDisable: false, MemorySwappiness: -1 })).toEqual([])
  expect(warnings({ OomKillDisable: null, MemorySwappiness: null })).toEqual([])
  expect(warnings({ OomKillDisable: true, MemorySwappiness: 0 })).toHaveLength(2)
})

test('what clients send when nothing was asked for is taken', () => {
  const body = {
    BlkioWeight: 0,
    BlkioWeightDevice: [],
    BlkioDeviceReadBps: null,
    CgroupParent: '',
    DeviceRequests: null,
    NanoCpus: 2e9,
    Runtime: 'runc',
    Isolation: '',
    VolumeDriver: 'local',
    SecurityOpt: ['no-new-privileges:true', 'seccomp=unconfined', 'label=disable'],
  }
  expect(check(body)).not.toThrow()
})
