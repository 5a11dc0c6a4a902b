import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ConfigMaps, Deployments, Events, Namespaces, Pods, ReplicaSets } from '@dinghy/shared/api/resources'
import { captured, type Ran } from '@dinghy/testing/captured'
import { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import { kubectl } from './kubectl.ts'
import { parseManifests } from './manifests.ts'
import { rolloutProgress } from './rollout.ts'

/** For a machine that is busy with something else. */
const patient = { timeout: 20_000 }

let server: TinyApiServer
let directory: string
beforeEach(async () => {
  server = await TinyApiServer.start()
  server.resources = [Pods, ConfigMaps, Deployments, ReplicaSets, Namespaces, Events]
  directory = mkdtempSync(join(tmpdir(), 'kubectl-test-'))
  const cluster = { name: 'c', cluster: { server: server.url } }
  const context = { name: 'c', context: { cluster: 'c', user: 'u' } }
  const config = { clusters: [cluster], contexts: [context], users: [{ name: 'u', user: {} }], 'current-context': 'c' }
  writeFileSync(join(directory, 'kubeconfig'), JSON.stringify(config))
})
afterEach(async () => {
  await server.close()
  rmSync(directory, { recursive: true, force: true })
})

/** A command as it is typed after `dinghy kubectl`. */
function run(...words: string[]): Promise<Ran> {
  const typed = ['--kubeconfig', join(directory, 'kubeconfig'), ...words]
  return captured(async () => {
    const command = await kubectl(() => ({ dockerSocket: '', kubeconfig: '' }), typed)
    await command.exitOverride().parseAsync(typed, { from: 'user' })
    process.removeAllListeners('SIGINT')
  })
}

function configMap(name: string, data: Record<string, string> = {}, namespace = 'default') {
  return server.put(ConfigMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data })
}

function deployment(status: object = {}) {
  return server.put(Deployments, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'default', generation: 1, uid: 'd1' },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [] } },
    },
    status,
  })
}
const finished = { observedGeneration: 1, replicas: 1, updatedReplicas: 1, availableReplicas: 1 }

describe('get', () => {
  test('the server’s table, lined up; more columns when wide, and of several kinds their names', async () => {
    configMap('a')
    configMap('longer', {}, 'other')
    expect((await run('get', 'configmaps')).out).toBe('NAME\na\n')
    expect((await run('get', 'cm/a', '-o', 'wide')).error?.message).toContain('doesn\'t have a resource type "cm"')
    expect((await run('get', 'configmap', 'a', '-o', 'wide', '--no-headers')).out).toBe('a   1\n')
    expect((await run('get', 'configmaps', '-A')).out).toBe('NAMESPACE   NAME\ndefault     a\nother       longer\n')
    expect((await run('get', 'configmaps,pods')).out).toBe('NAME\nconfigmap/a\n')
    expect((await run('get', 'pods')).err).toBe('No resources found in default namespace.\n')
  })

  test('objects as they are', async () => {
    configMap('a', { k: 'v' })
    expect(JSON.parse((await run('get', 'configmap/a', '-o', 'json')).out)).toMatchObject({ data: { k: 'v' } })
    expect((await run('get', 'configmap/a', '-o', 'yaml')).out).toContain('data:\n  k: v\n')
    expect((await run('get', 'configmaps', '-o', 'name')).out).toBe('configmap/a\n')
    expect((await run('get', 'configmaps', '-o', 'xml')).error?.message).toContain('-o takes')
    await run('get', 'configmaps', '-l', 'a=b', '--field-selector', 'x=y')
    expect(server.requests.at(-1)?.query.toString()).toBe('labelSelector=a%3Db&fieldSelector=x%3Dy')
  })

  test('-w goes on with a row a change', async () => {
    configMap('a')
    const watch = run('get', 'configmaps', '-w')
    await expect.poll(() => server.watchers, patient).toBe(1)
    await server.close()
    expect((await watch).out).toBe('NAME\na\n')
    expect((await run('get', 'configmaps,pods', '-w')).error).toBeDefined()
  })
})

describe('apply', () => {
  test('creates, changes only what has changed, and leaves alone what is right', async () => {
    const file = join(directory, 'a.yaml')
    const text = (value: string) =>
      `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: ${value}, gone: x}\n---\n`
    writeFileSync(file, text('one'))
    expect((await run('apply', '-f', file)).out).toBe('configmap/a created\n')
    expect((await run('apply', '-f', file)).out).toBe('configmap/a unchanged\n')
    configMap('a', { ...server.read(ConfigMaps, 'a', 'default')?.data, ofOthers: 'kept' })
    writeFileSync(file, text('two').replace(', gone: x', ''))
    await run('apply', '-f', file)
    expect(server.read(ConfigMaps, 'a', 'default')?.data).toMatchObject({ k: 'two', ofOthers: 'kept' })
  })

  test('of a directory each file; one that is refused does not keep the others from being applied', async () => {
    mkdirSync(join(directory, 'all'))
    const write = (name: string, kind: string) =>
      writeFileSync(join(directory, 'all', name), JSON.stringify({ apiVersion: 'v1', kind, metadata: { name: 'x' } }))
    write('1.json', 'Nonsense')
    write('2.json', 'ConfigMap')
    write('3.txt', 'Pod')
    const { code, out, err } = await run('apply', '-f', join(directory, 'all'))
    expect([code, out]).toEqual([1, 'configmap/x created\n'])
    expect(err).toContain('no matches for kind "Nonsense" in version "v1"')
    expect((await run('apply')).error?.message).toContain('-f FILE')
  })

  test.each([
    ['kind: [', 'error parsing'],
    ['metadata: {name: a}', 'apiVersion or kind not set'],
    ['{apiVersion: v1, kind: Pod}', 'Pod has no metadata.name'],
  ])('%j is no manifest', (text, message) => {
    expect(() => parseManifests('f', text)).toThrow(message)
  })
})

describe('delete', () => {
  test('by name, by kind, by file', async () => {
    for (const name of ['a', 'b', 'c']) configMap(name)
    expect((await run('delete', 'configmap', 'a', '--wait=false')).out).toBe('configmap "a" deleted\n')
    expect((await run('delete', 'configmaps')).error?.message).toContain('--all or -l')
    writeFileSync(join(directory, 'b.yaml'), 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}')
    await run('delete', '-f', join(directory, 'b.yaml'), '--wait=false')
    expect(server.all(ConfigMaps).map(({ metadata }) => metadata.name)).toEqual(['c'])
    expect((await run('delete', 'configmaps', '--all', '--now')).error).toBeUndefined()
    expect(server.requests.find(({ method }) => method === 'DELETE')).toBeDefined()
    expect(server.all(ConfigMaps)).toEqual([])
    expect((await run('delete', 'configmap', 'a')).error?.message).toContain('not found')
    expect((await run('delete', 'configmap', 'a', '--ignore-not-found')).code).toBe(0)
    expect((await run('delete', 'configmaps', '--all')).out).toBe('No resources found\n')
  })

  test('waits until the object is gone', async () => {
    configMap('a')
    let asked = 0
    server.failNext = ({ method }) => {
      // Somebody holds it a moment longer: it is there again after the deletion.
      if (method === 'DELETE') queueMicrotask(() => configMap('a'))
      if (method === 'GET') asked++
      return undefined
    }
    const deleting = run('delete', 'configmap', 'a')
    await expect.poll(() => server.watchers, patient).toBe(1)
    server.remove(ConfigMaps, 'a', 'default')
    expect((await deleting).code).toBe(0)
    expect(asked).toBeGreaterThan(2)
  })
})

test('describe: the object and its events, in their order', async () => {
  configMap('a', { k: 'v' })
  const event = (name: string, message: string, lastTimestamp: string) =>
    server.put(Events, {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace: 'default' },
      type: 'Normal',
      reason: 'Told',
      message,
      count: 2,
      lastTimestamp,
      source: { component: 'me' },
    } as never)
  event('1', 'second', '2024-01-01T00:00:02Z')
  event('2', 'first', '2024-01-01T00:00:01Z')
  const { out } = await run('describe', 'configmap', 'a')
  expect(out).toContain('Name: a\nNamespace: default\n')
  expect(out.indexOf('first')).toBeLessThan(out.indexOf('second'))
  expect(out).toContain('00:00:01 (x2)')
})

test('scale sends the number alone', async () => {
  deployment()
  expect((await run('scale', 'deployment/web', '--replicas', '3')).out).toBe('deployment.apps/web scaled\n')
  expect(server.requests.at(-1)).toMatchObject({ method: 'PATCH', body: { spec: { replicas: 3 } } })
  expect(server.requests.at(-1)?.path).toMatch(/\/deployments\/web\/scale$/)
  for (const replicas of ['-1', 'x', '1.5'])
    expect((await run('scale', 'deployment/web', `--replicas=${replicas}`)).error?.message).toContain(
      '--replicas takes',
    )
})

test('logs: of a pod, or of the first of a Deployment', async () => {
  deployment()
  const pod = { apiVersion: 'v1', kind: 'Pod', spec: { containers: [] } }
  server.put(Pods, { ...pod, metadata: { name: 'web-1', namespace: 'default', labels: { app: 'web' } } })
  await run('logs', 'web-1', '-c', 'main', '-p', '--timestamps', '--tail', '5', '--since', '1m30s')
  const { path, query } = server.requests.at(-1) ?? {}
  expect(path).toMatch(/\/pods\/web-1\/log$/)
  expect(Object.fromEntries(query ?? [])).toEqual({
    container: 'main',
    previous: 'true',
    timestamps: 'true',
    tailLines: '5',
    sinceSeconds: '90',
  })
  await run('logs', 'deployment/web')
  expect(server.requests.at(-1)?.path).toMatch(/\/pods\/web-1\/log$/)
  expect((await run('logs', 'web-1', '--since', 'soon')).error?.message).toContain('is no duration')
})

describe('rollout', () => {
  test.each([
    [{ observedGeneration: 0 }, 'Waiting for deployment spec update to be observed...', false],
    [{ observedGeneration: 1 }, 'rollout to finish: 0 out of 1 new replicas have been updated...', false],
    [{ ...finished, replicas: 2 }, '1 old replicas are pending termination...', false],
    [{ ...finished, availableReplicas: 0 }, '0 of 1 updated replicas are available...', false],
    [finished, 'deployment "web" successfully rolled out', true],
  ])('%j', (status, message, done) => {
    const progress = rolloutProgress(deployment(status))
    expect(progress.done).toBe(done)
    expect(progress.message).toContain(message)
  })

  test('status follows until it is done', async () => {
    deployment({ observedGeneration: 1 })
    const status = run('rollout', 'status', 'deployment/web')
    await expect.poll(() => server.watchers, patient).toBe(1)
    deployment(finished)
    const { code, out } = await status
    expect(code).toBe(0)
    expect(out).toContain('0 out of 1 new replicas')
    expect(out).toContain('successfully rolled out')
    expect((await run('rollout', 'status', 'web')).out).toContain('successfully rolled out')
  })

  test('a rollout that was given up is an error', async () => {
    deployment({ observedGeneration: 1, conditions: [{ type: 'Progressing', reason: 'ProgressDeadlineExceeded' }] })
    expect((await run('rollout', 'status', 'web')).error?.message).toContain('exceeded its progress deadline')
  })

  test('history, undo and restart', async () => {
    deployment(finished)
    for (const revision of [1, 2]) {
      server.put(ReplicaSets, {
        apiVersion: 'apps/v1',
        kind: 'ReplicaSet',
        metadata: {
          name: `web-${revision}`,
          namespace: 'default',
          annotations: { 'deployment.kubernetes.io/revision': String(revision) },
          ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'd1', controller: true }],
        },
        spec: { template: { metadata: { labels: { v: String(revision), 'pod-template-hash': 'h' } } } },
      } as never)
    }
    expect((await run('rollout', 'history', 'web')).out).toContain('REVISION   CHANGE-CAUSE\n1          <none>\n2')
    expect((await run('rollout', 'undo', 'web')).out).toBe('deployment.apps/web rolled back\n')
    expect(server.requests.at(-1)?.body).toEqual([
      { op: 'replace', path: '/spec/template', value: { metadata: { labels: { v: '1' } } } },
    ])
    expect((await run('rollout', 'undo', 'web', '--to-revision', '9')).error?.message).toContain('unable to find')
    expect((await run('rollout', 'restart', 'web')).out).toBe('deployment.apps/web restarted\n')
    expect((await run('rollout', 'nonsense', 'web')).error?.message).toContain('rollout knows')
    expect((await run('rollout', 'status', 'pod/x')).error?.message).toContain('has no rollout here')
  })
})

test('a cluster that is not there, and one that does not run', async () => {
  expect((await run('--kubeconfig', '/no/such', 'get', 'pods')).error?.message).toContain('there is no kubeconfig at')
  await server.close()
  expect((await run('get', 'pods')).error?.message).toContain('no cluster is running')
})
