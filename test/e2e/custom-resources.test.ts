/**
 * Kinds of one's own, as people meet them: by the real kubectl, and by an operator that is written with an independent
 * client (examples/operator) and owns a custom resource.
 */

import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Cluster, root, until } from './harness/cluster.ts'

const cluster = new Cluster(1)
const definition = 'examples/operator/website-definition.yaml'
let operator: ChildProcess | undefined

beforeAll(() => cluster.up())
afterAll(() => {
  operator?.kill()
  cluster.destroy()
})

/** What kubectl prints. Throws with what it complains of. */
function kubectl(...args: string[]): string {
  const { code, stdout, stderr } = cluster.kubectl(args)
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`)
  return stdout
}

function apply(object: object, ...flags: string[]) {
  return cluster.kubectl(['apply', '-f', '-', ...flags], JSON.stringify(object))
}

function website(name: string, spec: object, namespace = 'default') {
  return { apiVersion: 'example.com/v1', kind: 'Website', metadata: { name, namespace }, spec }
}

async function isGone(...what: string[]): Promise<void> {
  await until(`${what.join(' ')} to go`, () => kubectl('get', ...what, '--ignore-not-found') === '')
}

describe('a definition and its objects, by kubectl', () => {
  test('it is established, and known at once', () => {
    kubectl('apply', '-f', definition)
    kubectl('wait', '--for=condition=Established', 'crd/websites.example.com', '--timeout=20s')
    expect(kubectl('api-resources', '--api-group=example.com')).toMatch(
      /websites +web +example\.com\/v1 +true +Website/,
    )
    expect(kubectl('explain', 'website.spec.replicas')).toContain('How many pods serve it.')
    expect(kubectl('explain', 'websites', '--recursive')).toMatch(/page\s+<string> -required-/)
  })

  test('an object is applied, printed, scaled, patched and edited', () => {
    expect(apply(website('one', { page: '<p>1</p>' })).stdout).toContain('website.example.com/one created')
    expect(kubectl('get', 'web')).toMatch(/NAME +REPLICAS +READY +PHASE +AGE\none +1 +/)
    kubectl('scale', 'website', 'one', '--replicas=3')
    expect(kubectl('get', 'website', 'one', '-o', 'jsonpath={.spec.replicas} {.metadata.generation}')).toBe('3 2')
    kubectl('patch', 'website', 'one', '--type=merge', '-p', '{"spec":{"page":"<p>2</p>"}}')
    kubectl('patch', 'website', 'one', '--type=json', '-p', '[{"op":"replace","path":"/spec/replicas","value":2}]')
    kubectl('patch', 'website', 'one', '--subresource=status', '--type=merge', '-p', '{"status":{"replicas":2}}')
    const path = 'jsonpath={.spec.page} {.spec.replicas} {.status.replicas}'
    expect(kubectl('get', 'website', 'one', '-o', path)).toBe('<p>2</p> 2 2')
    kubectl('label', 'website', 'one', 'tier=web')
    expect(kubectl('get', 'all', '-l', 'tier=web')).toContain('website.example.com/one')
  })

  test('server-side apply knows who owns what', () => {
    const applied = apply(website('two', { page: '<p>1</p>', replicas: 1 }), '--server-side', '--field-manager=me')
    expect([applied.code, applied.stderr]).toEqual([0, ''])
    kubectl('scale', 'website', 'two', '--replicas=4')
    const again = apply(website('two', { page: '<p>1</p>', replicas: 1 }), '--server-side', '--field-manager=me')
    expect([again.code, again.stderr]).toEqual([
      1,
      expect.stringContaining('conflict with "kubectl" with subresource "scale"'),
    ])
    expect(again.stderr).toContain('.spec.replicas')
  })

  test.each<[object, string]>([
    [
      { page: '<p>', replicas: 'many' },
      'spec.replicas: Invalid value: "string": spec.replicas in body must be of type integer',
    ],
    [
      { page: '<p>', replicas: 9 },
      'spec.replicas: Invalid value: 9: spec.replicas in body should be less than or equal to 5',
    ],
    [{}, 'spec.page: Required value'],
    [{ page: 'no tag' }, 'spec: Invalid value: "object": a page is HTML'],
    [{ page: '<p>', colour: 'red' }, 'unknown field "spec.colour"'],
  ])('%j is refused', (spec, problem) => {
    const { code, stderr } = apply(website('bad', spec))
    expect([code, stderr]).toEqual([1, expect.stringContaining(problem)])
  })

  test('a namespace counts them, and takes them along when it goes', async () => {
    kubectl('create', 'namespace', 'limited')
    kubectl('create', 'quota', 'few', '--hard=count/websites.example.com=1', '-n', 'limited')
    expect(apply(website('first', { page: '<p>' }, 'limited')).code).toBe(0)
    const second = apply(website('second', { page: '<p>' }, 'limited'))
    expect(second.stderr).toContain(
      'exceeded quota: few, requested: count/websites.example.com=1, used: count/websites.example.com=1',
    )
    kubectl('delete', 'namespace', 'limited', '--timeout=60s')
    expect(kubectl('get', 'websites', '-A')).not.toContain('limited')
  })

  test('what it owns goes with it', async () => {
    const uid = kubectl('get', 'website', 'one', '-o', 'jsonpath={.metadata.uid}')
    const ownerReferences = [{ apiVersion: 'example.com/v1', kind: 'Website', name: 'one', uid }]
    apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'owned', ownerReferences } })
    kubectl('delete', 'website', 'one')
    await isGone('configmap', 'owned')
  })

  test('objects survive a restart of the API server', async () => {
    process.kill(cluster.pid('api-server'), 'SIGKILL')
    await until('the website again', () => cluster.kubectl(['get', 'website', 'two']).code === 0)
  })
})

describe('an operator', () => {
  beforeAll(async () => {
    kubectl('delete', 'websites', '--all')
    operator = spawn(process.execPath, [join(root, 'examples/operator/operator.mjs')], {
      env: cluster.env,
      cwd: root,
      stdio: 'ignore',
    })
    await Promise.resolve()
  })

  test('makes what a Website needs, and says when it is there', async () => {
    kubectl('apply', '-f', 'examples/operator/website.yaml')
    await until('the website to be Ready', () => {
      return kubectl('get', 'website', 'hello', '-o', 'jsonpath={.status.phase}{.status.replicas}') === 'Ready2'
    })
    expect(kubectl('get', 'deployment', 'website-hello')).toMatch(/2\/2/)
    const { stdout } = cluster.dinghy('why', 'deployment/website-hello')
    expect(stdout).toMatch(
      /deployment\/website-hello created by website-operator .*\n.*website\/hello created by kubectl/,
    )
  })

  test('follows it', async () => {
    kubectl('scale', 'website', 'hello', '--replicas=1')
    await until('one replica', () => {
      return kubectl('get', 'deployment', 'website-hello', '-o', 'jsonpath={.spec.replicas}') === '1'
    })
    kubectl('delete', 'configmap', 'website-hello')
    kubectl('patch', 'website', 'hello', '--type=merge', '-p', '{"spec":{"page":"<h1>Again</h1>"}}')
    await until('the page again', () => {
      const page = ['get', 'configmap', 'website-hello', '-o', 'jsonpath={.data.index\\.html}', '--ignore-not-found']
      return kubectl(...page) === '<h1>Again</h1>'
    })
  })

  test('leaves nothing behind', async () => {
    kubectl('delete', 'website', 'hello')
    await isGone('deployment,configmap', '-l', 'website=hello')
    await isGone('pods', '-l', 'website=hello')
  })
})

test('when the definition goes, so do its objects and the kind', async () => {
  apply(website('last', { page: '<p>' }))
  kubectl('delete', 'crd', 'websites.example.com', '--timeout=30s')
  expect(kubectl('api-resources', '--api-group=example.com', '--cached=false')).not.toContain('websites')
})
