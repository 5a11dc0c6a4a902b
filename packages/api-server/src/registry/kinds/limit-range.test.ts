import { expect, test } from 'vitest'
import { problemsOf } from '../../testing/kind-fixture.ts'

const at = 'spec.limits[0]'

test.each<[object, string[]]>([
  [{ min: { cpu: '1' }, default: { cpu: '2' }, max: { cpu: '3' } }, []],
  [
    { min: { cpu: '2' }, default: { cpu: '1' }, defaultRequest: { cpu: '1' } },
    [
      `${at}.defaultRequest[cpu]: Invalid value: "1": min value 2 is greater than default request value 1`,
      `${at}.default[cpu]: Invalid value: "2": min value 2 is greater than default value 1`,
    ],
  ],
  [
    { max: { cpu: '1' }, default: { cpu: '2' }, defaultRequest: { cpu: '3' } },
    [
      `${at}.defaultRequest[cpu]: Invalid value: "3": default request value 3 is greater than max value 1`,
      `${at}.defaultRequest[cpu]: Invalid value: "3": default request value 3 is greater than default limit value 2`,
      `${at}.default[cpu]: Invalid value: "1": default value 2 is greater than max value 1`,
    ],
  ],
  [
    { maxLimitRequestRatio: { cpu: '500m' } },
    [`${at}.maxLimitRequestRatio[cpu]: Invalid value: "500m": ratio 500m is less than 1`],
  ],
  [
    { min: { cpu: '500m' }, max: { cpu: '1' }, maxLimitRequestRatio: { cpu: '3' } },
    [`${at}.maxLimitRequestRatio[cpu]: Invalid value: "3": ratio 3 is greater than max/min = 2.000000`],
  ],
  [
    { default: { 'example.com/gpu': '2' }, defaultRequest: { 'example.com/gpu': '1' } },
    [
      `${at}.defaultRequest[example.com/gpu]: Invalid value: "1": default value 2 must equal to defaultRequest value 1 in example.com/gpu`,
    ],
  ],
])('LimitRange %#', (limits, messages) => {
  expect(problemsOf('limitranges', { spec: { limits: [{ type: 'Container', ...limits }] } })).toEqual(messages)
})
