import { describe, expect, test } from 'vitest'
import { defaultCapabilities, type Capability } from '../linux/capabilities.ts'
import { seccompOf, type LinuxSeccomp, type SeccompCircumstances } from './seccomp.ts'

const here: SeccompCircumstances = { arch: 'x64', kernel: '6.1.0-13-amd64', capabilities: defaultCapabilities }
function withCapability(...names: Capability[]) {
  return { ...here, capabilities: [...defaultCapabilities, ...names] }
}
function profile(value: object, circumstances = here) {
  return seccompOf(JSON.stringify(value), circumstances)
}

test('unconfined is no filter', () => {
  expect(seccompOf('unconfined', here)).toBeUndefined()
})

describe('the default', () => {
  /** What happens to a call, as libseccomp would decide it. */
  const fate = (name: string, first = 0, circumstances: SeccompCircumstances = here): string => {
    const { syscalls, defaultAction } = seccompOf(undefined, circumstances) as LinuxSeccomp
    const rule = syscalls.find(
      ({ names, args = [] }) =>
        names.includes(name) && args.every(({ value, valueTwo }) => (first & value) === valueTwo),
    )
    return rule === undefined ? defaultAction : `errno ${rule.errnoRet}`
  }
  const cloneNewuser = 0x10000000
  const thread = 0x3d0f00

  test.each([
    ['read', 0, 'SCMP_ACT_ALLOW'],
    ['add_key', 0, 'errno 1'],
    ['mount', 0, 'errno 1'],
    ['unshare', 0, 'errno 1'],
    ['clock_settime', 0, 'errno 1'],
    ['ptrace', 0, 'SCMP_ACT_ALLOW'],
    ['clone', thread, 'SCMP_ACT_ALLOW'],
    ['clone', cloneNewuser | thread, 'errno 1'],
    ['clone3', 0, 'errno 38'],
  ])('%s(%i)', (name, first, expected) => {
    expect(fate(name, first)).toBe(expected)
  })

  test('capabilities open what they stand for', () => {
    expect(fate('clock_settime', 0, withCapability('SYS_TIME'))).toBe('SCMP_ACT_ALLOW')
    expect(fate('bpf', 0, withCapability('BPF'))).toBe('SCMP_ACT_ALLOW')
    for (const name of ['mount', 'unshare', 'clone', 'clone3', 'setns']) {
      expect(fate(name, cloneNewuser, withCapability('SYS_ADMIN'))).toBe('SCMP_ACT_ALLOW')
    }
    expect(fate('add_key', 0, withCapability('SYS_ADMIN'))).toBe('errno 1')
  })

  test('old kernels', () => {
    expect(fate('ptrace', 0, { ...here, kernel: '4.4.0' })).toBe('errno 1')
    expect(fate('ptrace', 0, { ...withCapability('SYS_PTRACE'), kernel: '4.4.0' })).toBe('SCMP_ACT_ALLOW')
  })

  test('programs of the compatible architectures are filtered too', () => {
    const architectures = ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32']
    expect(seccompOf('builtin', here)).toMatchObject({ architectures })
    expect(() => seccompOf(undefined, { ...here, arch: 'mips' })).toThrow('no seccomp filters on this architecture')
  })
})

describe("a profile in Docker's format", () => {
  const rule = (change: object) => ({
    defaultAction: 'SCMP_ACT_ERRNO',
    syscalls: [{ names: ['x'], action: 'SCMP_ACT_ALLOW', ...change }],
  })
  const isKept = (change: object, circumstances = here) => profile(rule(change), circumstances)?.syscalls.length === 1

  test.each<[string, boolean, object]>([
    ['no condition', true, {}],
    ['our architecture', true, { includes: { arches: ['amd64', 'arm64'] } }],
    ['another one', false, { includes: { arches: ['arm64'] } }],
    ['not for ours', false, { excludes: { arches: ['amd64'] } }],
    ['a capability that it has', true, { includes: { caps: ['CAP_CHOWN'] } }],
    ['one of two that it has not', false, { includes: { caps: ['CAP_CHOWN', 'CAP_SYS_ADMIN'] } }],
    ['without a capability', true, { excludes: { caps: ['CAP_SYS_ADMIN'] } }],
    ['without one that it has', false, { excludes: { caps: ['CAP_CHOWN', 'CAP_SYS_ADMIN'] } }],
    ['an older kernel is enough', true, { includes: { minKernel: '4.8' } }],
    ['a newer one is not here yet', false, { includes: { minKernel: '6.10' } }],
    ['null, as Go writes nothing', true, { includes: null, excludes: null, args: null }],
  ])('%s', (_name, expected, change) => {
    expect(isKept(change)).toBe(expected)
  })

  test('the rest is passed on', () => {
    const args = [{ index: 0, value: 1, op: 'SCMP_CMP_EQ' }]
    expect(
      profile({
        defaultAction: 'SCMP_ACT_ERRNO',
        defaultErrnoRet: 1,
        archMap: [
          { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] },
          { architecture: 'SCMP_ARCH_AARCH64' },
        ],
        syscalls: [{ name: 'x', action: 'SCMP_ACT_ALLOW', args, comment: 'why', errnoRet: 0 }],
      }),
    ).toEqual({
      defaultAction: 'SCMP_ACT_ERRNO',
      defaultErrnoRet: 1,
      architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
      syscalls: [{ names: ['x'], action: 'SCMP_ACT_ALLOW', args, errnoRet: 0 }],
    })
    expect(profile({ defaultAction: 'SCMP_ACT_ALLOW', architectures: ['SCMP_ARCH_X86'] })).toEqual({
      defaultAction: 'SCMP_ACT_ALLOW',
      architectures: ['SCMP_ARCH_X86'],
      syscalls: [],
    })
  })

  test.each([
    ['no JSON', '/path/to/profile.json'],
    ['a list', '[]'],
    ['both ways to name architectures', '{"architectures":["x"],"archMap":[{"architecture":"x"}]}'],
    ['both ways to name a call', '{"syscalls":[{"name":"x","names":["y"],"action":"SCMP_ACT_ALLOW"}]}'],
  ])('refused: %s', (_name, text) => {
    expect(() => seccompOf(text, here)).toThrow('Decoding seccomp profile failed')
  })
})
