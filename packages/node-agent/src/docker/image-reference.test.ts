import { expect, test } from 'vitest'
import { parseImageReference } from './image-reference.ts'

const digest = `sha256:${'a'.repeat(64)}`

test.each([
  ['nginx', { name: 'nginx', tag: 'latest' }],
  ['nginx:1.27', { name: 'nginx', tag: '1.27' }],
  ['localhost:5000/web', { name: 'localhost:5000/web', tag: 'latest' }],
  ['localhost:5000/web:v1', { name: 'localhost:5000/web', tag: 'v1' }],
  ['registry.k8s.io/pause:3.10', { name: 'registry.k8s.io/pause', tag: '3.10' }],
  [`ghcr.io/a/b@${digest}`, { name: 'ghcr.io/a/b', digest }],
  [`ghcr.io/a/b:v2@${digest}`, { name: 'ghcr.io/a/b', tag: 'v2', digest }],
  ['', undefined],
  ['Nginx', undefined],
  ['nginx:', undefined],
  ['nginx: 1', undefined],
  ['nginx@sha256:short', undefined],
  ['a//b', undefined],
])('%s', (text, expected) => {
  expect(parseImageReference(text)).toEqual(expected)
})
