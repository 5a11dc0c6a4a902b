import { expect, test } from 'vitest'
import { ALL_CAPABILITIES, capabilitiesOf, DEFAULT_CAPABILITIES } from './capabilities.ts'

test.each([
  ['nothing', [], [], [...DEFAULT_CAPABILITIES]],
  ['--cap-drop ALL', [], ['ALL'], []],
  ['--cap-drop ALL --cap-add NET_BIND_SERVICE', ['NET_BIND_SERVICE'], ['ALL'], ['NET_BIND_SERVICE']],
  [
    '--cap-add ALL --cap-drop SYS_ADMIN',
    ['all'],
    ['CAP_SYS_ADMIN'],
    ALL_CAPABILITIES.filter((name) => name !== 'SYS_ADMIN'),
  ],
  ['--cap-drop mknod', [], ['mknod'], DEFAULT_CAPABILITIES.filter((name) => name !== 'MKNOD')],
])('%s', (_name, add, drop, expected) => {
  expect(capabilitiesOf(add, drop)).toEqual(ALL_CAPABILITIES.filter((name) => expected.includes(name)))
})

test('privileged has all, unknown names are refused', () => {
  expect(capabilitiesOf([], ['ALL'], true)).toEqual(ALL_CAPABILITIES)
  expect(() => capabilitiesOf(['FLY'])).toThrow('unknown capability: "CAP_FLY"')
})
