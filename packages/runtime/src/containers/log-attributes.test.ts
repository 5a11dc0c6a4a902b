import { expect, test } from 'vitest'
import { completeConfig, completeHostConfig } from './create-body.ts'
import { logDetails } from './log-attributes.ts'

function details(Config: Record<string, string>): string {
  return logDetails({
    id: '0123456789abcdef',
    name: 'box',
    imageId: 'sha256:fedcba9876543210',
    config: completeConfig(
      { Image: 'app:1', Cmd: ['a', 'b'], Env: ['A=1=2', 'AB=x y', 'C=3'], Labels: { a: "it's", b: '' } },
      {},
      'id',
    ),
    hostConfig: completeHostConfig({ LogConfig: { Type: 'json-file', Config } }),
  })
}

test.each<[Record<string, string>, string]>([
  [{}, ''],
  [{ labels: 'a,nothing' }, 'a=it%27s'],
  [{ labels: 'b', env: 'A' }, 'A=1%3D2,b='],
  [{ 'env-regex': '^A' }, 'A=1%3D2,AB=x+y'],
  [{ 'labels-regex': '.', env: 'C' }, 'C=3,a=it%27s,b='],
  [{ tag: '{{.Name}}/{{.ID}}' }, 'tag=box%2F0123456789ab'],
  [{ tag: '{{ .ImageName }} {{.ImageID}} {{.Command}}' }, 'tag=app%3A1+fedcba987654+a+b'],
])('%j gives %s', (options, expected) => {
  expect(details(options)).toBe(expected)
})

test.each([
  [{ tag: '{{.Nothing}}' }, 'invalid log opt tag: {{.Nothing}} is not supported'],
  [{ tag: '{{constructor}}' }, 'invalid log opt tag'],
  [{ 'env-regex': '(' }, 'invalid log opt env-regex'],
])('%j is refused', (options, message) => {
  expect(() => details(options)).toThrow(message)
})
