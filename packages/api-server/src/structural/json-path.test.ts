import { expect, test } from 'vitest'
import { findByPath, parseJsonPath } from './json-path.ts'

const widget = {
  metadata: { name: 'a', labels: { app: 'web', 'example.com/owner': 'me' } },
  spec: { replicas: 3, ports: [{ name: 'http', port: 80 }, { name: 'dns', port: 53 }, { port: 1 }] },
  status: {
    conditions: [
      { type: 'Ready', status: 'True', count: 2 },
      { type: 'Old', status: 'False', count: 9 },
    ],
  },
}

test.each<[string, unknown[]]>([
  ['.spec.replicas', [3]],
  ['.spec.missing.deeper', []],
  ['', [widget]],
  ['.', [widget]],
  [".metadata.labels['app']", ['web']],
  ['.metadata.labels["app"]', ['web']],
  ['.metadata.labels.example\\.com/owner', ['me']],
  [".metadata.labels['example\\.com/owner']", ['me']],
  ['.spec.ports[0].name', ['http']],
  ['.spec.ports[-1].port', [1]],
  ['.spec.ports[0,1].port', [80, 53]],
  ['.spec.ports[7]', []],
  ['.spec.ports[1:].port', [53, 1]],
  ['.spec.ports[:2].port', [80, 53]],
  ['.spec.ports[*].name', ['http', 'dns']],
  ['.spec.ports[*].port', [80, 53, 1]],
  ['..port', [80, 53, 1]],
  ['.status.conditions[?(@.type=="Ready")].status', ['True']],
  [".status.conditions[?(@.type == 'Old')].status", ['False']],
  ['.status.conditions[?(@.type!="Old")].type', ['Ready']],
  ['.status.conditions[?(@.count>2)].type', ['Old']],
  ['.status.conditions[?(@.count<=2)].type', ['Ready']],
  ['.spec.ports[?(@.name)].port', [80, 53]],
  ['.metadata.*', ['a', widget.metadata.labels]],
])('%s finds %j', (path, found) => {
  expect(findByPath(parseJsonPath(path), widget)).toEqual(found)
})

test.each(['.spec[', '.spec[x]', '.a[?(@.b==c)]', '.a b'])('%s is no path', (path) => {
  expect(() => parseJsonPath(path)).toThrow(SyntaxError)
})
