import { expect, test } from 'vitest'
import { parseFieldPath, valueAt } from './field-path.ts'

const pod = {
  metadata: { labels: { 'app.kubernetes.io/name': 'shop' } },
  spec: {
    containers: [
      { name: 'web', image: 'node' },
      { name: 'log', image: 'busybox' },
    ],
  },
}

test.each([
  ['.spec.containers[1].image', 'busybox'],
  ['spec.containers[name=log].image', 'busybox'],
  [".metadata.labels['app.kubernetes.io/name']", 'shop'],
  ['.metadata.labels["app.kubernetes.io/name"]', 'shop'],
  ['.spec.containers[7].image', undefined],
  ['.spec.containers.name', undefined],
  ['.spec.constructor', undefined],
])('%s is %s', (text, value) => {
  expect(valueAt(pod, parseFieldPath(text) ?? [])).toBe(value)
})

test.each(['', '.', '..spec', '.spec.[0]', '.spec containers', "['open", '[name=]'])('%j is no path', (text) => {
  expect(parseFieldPath(text)).toBeUndefined()
})
