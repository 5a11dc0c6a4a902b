import { expect, test } from 'vitest'
import { problemsOf, problemsOfUpdate } from '../../testing/kind-fixture.ts'

function ranges(...cidrs: string[]) {
  return { spec: { cidrs } }
}

const invalidRange = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'

test.each<[object, string[]]>([
  [ranges('10.96.0.0/16', '2001:db8::/64'), []],
  [ranges('0.0.0.0/0'), []],
  [ranges('::/0'), []],
  [{}, ['spec.cidrs: Required value: at least one CIDR required']],
  [ranges('10.0.0.0/33'), [`spec.cidrs[0]: Invalid value: "10.0.0.0/33": ${invalidRange}`]],
  [ranges('10.0.0.0/08'), [`spec.cidrs[0]: Invalid value: "10.0.0.0/08": ${invalidRange}`]],
  [
    ranges('192.168.77.1/18'),
    ['spec.cidrs[0]: Invalid value: "192.168.77.1/18": must be in canonical form ("192.168.64.0/18")'],
  ],
  [
    ranges('2001:DB8:0::1/33'),
    ['spec.cidrs[0]: Invalid value: "2001:DB8:0::1/33": must be in canonical form ("2001:db8::/33")'],
  ],
  [
    ranges('10.0.0.0/8', '11.0.0.0/8'),
    [
      'spec.cidrs: Invalid value: {"cidrs":["10.0.0.0/8","11.0.0.0/8"]}: may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64',
    ],
  ],
])('ServiceCIDR %j', (sent, messages) => {
  expect(problemsOf('servicecidrs', sent)).toEqual(messages)
})

test('a ServiceCIDR stays what it is', () => {
  const change = problemsOfUpdate('servicecidrs', ranges('10.96.0.0/16'), (o) =>
    Object.assign(o, ranges('10.97.0.0/16')),
  )
  expect(change).toEqual(['spec.cidrs: Invalid value: ["10.97.0.0/16"]: field is immutable'])
})

const parentRef = { resource: 'services', namespace: 'default', name: 's' }
function address(name: string, spec: object = { parentRef }) {
  return { metadata: { name }, spec }
}

test.each<[object, string[]]>([
  [address('10.0.0.1'), []],
  [address('2001:db8::1'), []],
  [
    address('2001:db8:0::1'),
    ['metadata.name: Invalid value: "2001:db8:0::1": must be in canonical form ("2001:db8::1")'],
  ],
  [
    address('ten'),
    ['metadata.name: Invalid value: "ten": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
  ],
  [address('10.0.0.1', {}), ['spec.parentRef: Required value']],
  [
    address('10.0.0.1', { parentRef: { name: 'a/b' } }),
    ['spec.parentRef.resource: Required value', `spec.parentRef.name: Invalid value: "a/b": may not contain '/'`],
  ],
])('IPAddress %j', (sent, messages) => {
  expect(problemsOf('ipaddresses', sent)).toEqual(messages)
})

test('an IPAddress stays with its parent', () => {
  const change = problemsOfUpdate('ipaddresses', address('10.0.0.1'), ({ spec }) =>
    Object.assign(spec, { parentRef: { ...parentRef, name: 't' } }),
  )
  expect(change).toEqual([expect.stringMatching(/^spec.parentRef: Invalid value: .*: field is immutable$/)])
})
