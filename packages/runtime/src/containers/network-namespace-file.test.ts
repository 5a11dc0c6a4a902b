import { expect, test } from 'vitest'
import { checkNamespaceFile, namespaceFileOf, requireNamespace } from './network-namespace-file.ts'

test.each(['ns:', 'ns:run/netns/a', 'ns:/run/../a', 'ns:/run/a\n', 'ns:/run//a'])('%j names no file', (mode) => {
  expect(() => checkNamespaceFile(mode, 'linux')).toThrow('ns: takes the absolute path of a file')
})

test('other modes are no business of ours', () => {
  for (const mode of ['host', 'none', 'bridge', 'container:ns']) {
    expect(namespaceFileOf(mode)).toBeUndefined()
    checkNamespaceFile(mode, 'process')
  }
})

test('the process driver cannot do that, and says so', () => {
  checkNamespaceFile('ns:/run/netns/a', 'oci')
  expect(() => checkNamespaceFile('ns:/run/netns/a', 'process')).toThrow('the process driver has no network namespaces')
})

test('only a namespace that is there will do', () => {
  expect(() => requireNamespace('/nonexistent/a')).toThrow('/nonexistent/a is not there')
  expect(() => requireNamespace('/')).toThrow('/ is no namespace')
  if (process.platform === 'linux') requireNamespace('/proc/self/ns/net')
})
