import { expect, test } from 'vitest'
import { negotiate } from './negotiation.ts'

const table = 'application/json;as=Table;v=v1;g=meta.k8s.io'

const cases: [accept: string | undefined, expected: string][] = [
  [undefined, 'application/json'],
  ['*/*', 'application/json'],
  ['application/json, */*', 'application/json'],
  ['application/yaml', 'application/yaml'],
  [
    `${table},application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json`,
    'application/json Table meta.k8s.io/v1',
  ],
  ['application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json', 'application/json Table meta.k8s.io/v1beta1'],
  ['application/json;as=Table;v=v7;g=meta.k8s.io,application/json', 'application/json'],
  [
    'application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json',
    'application/json PartialObjectMetadataList meta.k8s.io/v1',
  ],
  ['application/vnd.kubernetes.protobuf,application/json', 'application/json'],
  ['application/json;stream=watch', 'application/json'],
  ['text/html,application/xhtml+xml,*/*;q=0.8', 'application/json'],
]

test.each(cases)('%s gets %s', (accept, expected) => {
  const { mediaType, transform } = negotiate(accept)
  expect([mediaType, transform?.kind, transform?.apiVersion].filter(Boolean).join(' ')).toBe(expected)
})

test.each(['text/html', 'application/xml;q=1', 'application/json;as=Soup;v=v1;g=meta.k8s.io'])(
  '%s is refused',
  (accept) => {
    expect(() => negotiate(accept)).toThrow(/only the following media types are accepted/)
  },
)

test('what has no columns is given in the next form, or not at all', () => {
  const without = { hasTable: false }
  expect(negotiate(`${table},application/json`, without).transform).toBeUndefined()
  expect(() => negotiate(table, without)).toThrow(/only the following media types are accepted/)
})
