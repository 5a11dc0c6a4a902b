import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KubeConfig } from '@kubernetes/client-node'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { loadKubeconfig, writeKubeconfig } from './kubeconfig.ts'

let dir: string
let path: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'kubeconfig-'))
  path = join(dir, 'deep', 'config')
})
afterEach(() => rmSync(dir, { recursive: true }))

test('an independent client reads what we write', () => {
  writeKubeconfig(path, { cluster: 'demo', server: 'http://127.0.0.1:6443' })
  const config = new KubeConfig()
  config.loadFromFile(path)
  expect(config.getCurrentContext()).toBe('dinghy-demo')
  expect(config.getCurrentCluster()).toMatchObject({ server: 'http://127.0.0.1:6443', skipTLSVerify: true })
  expect(loadKubeconfig(path)).toEqual({ server: 'http://127.0.0.1:6443' })
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(readdirSync(join(dir, 'deep'))).toEqual(['config'])
})

test('other clusters in the file are kept, our own entry is replaced', () => {
  writeKubeconfig(path, { cluster: 'demo', server: 'http://127.0.0.1:1' })
  const other = parse(readFileSync(path, 'utf8'))
  other.clusters.push({ name: 'work', cluster: { server: 'https://work' } })
  other.preferences = { colors: true }
  writeFileSync(path, stringify(other))
  writeKubeconfig(path, { cluster: 'demo', server: 'http://127.0.0.1:2' })
  const result = parse(readFileSync(path, 'utf8'))
  expect(
    result.clusters.map(({ name, cluster }: { name: string; cluster: { server: string } }) => [name, cluster.server]),
  ).toEqual([
    ['work', 'https://work'],
    ['dinghy-demo', 'http://127.0.0.1:2'],
  ])
  expect(result.contexts).toHaveLength(1)
  expect(result.preferences).toEqual({ colors: true })
})

test('a file that names no server is an error that says so', () => {
  path = join(dir, 'config')
  writeFileSync(path, 'apiVersion: v1\nkind: Config\ncurrent-context: lost\n')
  expect(() => loadKubeconfig(path)).toThrow('the current context "lost" names no server')
})
