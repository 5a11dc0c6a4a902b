import { expect, test } from 'vitest'
import { allCapabilities, capabilitiesOf, defaultCapabilities } from './capabilities.ts'

test.each([
  ['nothing', [], [], [...defaultCapabilities]],
  ['--cap-drop ALL', [], ['ALL'], []],
  ['--cap-drop ALL --cap-add NET_BIND_SERVICE', ['NET_BIND_SERVICE'], ['ALL'], ['NET_BIND_SERVICE']],
  [
    '--cap-add ALL --cap-drop SYS_ADMIN',
    ['all'],
    ['CAP_SYS_ADMIN'],
    allCapabilities.filter((name) => name !== 'SYS_ADMIN'),
  ],
  ['--cap-drop mknod', [], ['mknod'], defaultCapabilities.filter((name) => name !== 'MKNOD')],
])('%s', (_name, add, drop, expected) => {
  expect(capabilitiesOf(add, drop)).toEqual(allCapabilities.filter((name) => expected.includes(name)))
})

test('privileged has all, unknown names are refused', () => {
  expect(capabilitiesOf([], ['ALL'], true)).toEqual(allCapabilities)
  expect(() => capabilitiesOf(['FLY'])).toThrow('unknown capability: "CAP_FLY"')
})
