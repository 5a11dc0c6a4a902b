/**
 * The floors of the house. Packages: components never import one another, only libraries; they meet over HTTP. Folders:
 * inside every package they have an order, ground first, and imports only go down. Files: no cycle.
 *
 * Reads the source as text, so that a wrong import is found even where a type-only one would compile away.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { describe, expect, test } from 'vitest'

const packages = resolve(import.meta.dirname, '../../packages')

interface Plan {
  /** The libraries that it may import. Tests may import `testing`, too. */
  uses: string[]
  /**
   * Its folders and the files of its root, ground first. Those of one line stand beside each other and do not import
   * one another; `*` is whatever is not named. `testing` folders are for tests and have no floor.
   */
  floors: string[]
}

const house: Record<string, Plan> = {
  shared: { uses: [], floors: ['api', 'schema pki', 'http', 'docker', 'client', 'reconcile', 'process', 'dns'] },
  'api-server': {
    uses: ['shared'],
    floors: [
      'storage shape cel webhooks',
      'auth',
      'patch structural',
      'registry',
      'admission audit flow-control openapi discovery bootstrap',
      'custom-resources',
      'http',
      'debug aggregation',
      'server',
      'main',
    ],
  },
  scheduler: {
    uses: ['shared'],
    floors: [
      'resources',
      'snapshot',
      'framework lookups cache',
      'fit-error plugins scheduling-queue nominations',
      'configuration schedule',
      'profiles extender volume-binder',
      'extended-schedule event-handlers',
      'metrics preemption pause-notice recent-decisions explain past-cluster',
      'explain-page scheduler',
      'start-scheduler',
      'main',
    ],
  },
  controller: {
    uses: ['shared'],
    floors: [
      'deps',
      'children',
      'history service-account',
      'certificates cluster-role-aggregation daemon-set deployment disruption endpoint-slice garbage-collector horizontal-pod-autoscaler job namespace node-lifecycle pod-gc replica-set resource-quota root-ca service-load-balancer stateful-set volume',
      'cron-job endpoints replication-controller',
      'main',
    ],
  },
  images: {
    uses: ['shared'],
    floors: ['files', 'content', 'layers', 'store', 'distribution', 'image-source'],
  },
  builder: { uses: ['images', 'shared'], floors: ['dockerfile', 'steps', '*'] },
  runtime: {
    uses: ['builder', 'images', 'shared'],
    floors: [
      'events filters start-error tool-environment inherited-descriptors timestamps precise-clock',
      'networks',
      'snapshots',
      'drivers',
      'volumes',
      'containers',
      'docker',
      'root-lock',
      'runtime',
      'main',
    ],
  },
  registry: { uses: ['images', 'shared'], floors: ['registry-store', 'registry-server', 'main'] },
  'node-agent': {
    uses: ['shared'],
    floors: [
      'docker',
      'observed',
      'network',
      'probes',
      'containers',
      'volumes',
      'pods',
      'node',
      'server',
      'node-agent',
      'main',
    ],
  },
  proxy: {
    uses: ['shared'],
    floors: ['rules run-command', 'userspace nftables health-check-ports', 'gateway policy', 'start-proxy', 'main'],
  },
  dns: {
    uses: ['shared'],
    floors: ['stub-domains zone', 'cluster-view', 'resolver', 'main'],
  },
  ingress: {
    uses: ['shared'],
    floors: [
      'routing',
      'forward gateway status tls',
      'cluster-model open-ports own-objects',
      'cluster-view',
      'ingress-controller',
      'serve',
      'main',
    ],
  },
  clients: { uses: ['shared'], floors: ['command-line', 'docker kubectl'] },
  compose: {
    uses: ['clients', 'shared'],
    floors: ['compose-error', 'model', 'order', 'load', '*', 'verbs', 'compose'],
  },
  cli: {
    uses: ['compose', 'clients', 'shared'],
    floors: ['cluster', 'machines', 'supervisor', 'commands', 'main'],
  },
  testing: { uses: ['shared'], floors: ['*'] },
}

interface Import {
  from: string
  specifier: string
}

function importsOf(packageName: string): Import[] {
  const root = join(packages, packageName, 'src')
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => {
      const text = readFileSync(join(root, file), 'utf8')
      const specifiers = [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] ?? '')
      return specifiers.map((specifier) => ({ from: join(root, file), specifier }))
    })
}

function isTest(file: string): boolean {
  return file.endsWith('.test.ts') || file.split(sep).includes('testing')
}

test('every package has its place', () => {
  expect(readdirSync(packages).sort()).toEqual(Object.keys(house).sort())
})

describe.each(Object.entries(house))('%s', (name, { uses, floors }) => {
  const root = join(packages, name, 'src')
  /** The folder or the file of the root that a path leads to. */
  const roomOf = (path: string) => (relative(root, path).split(sep)[0] ?? '').replace(/(\.test)?\.ts$/, '')
  const floorOf = (room: string) => {
    const floor = floors.findIndex((rooms) => rooms.split(' ').includes(room))
    return floor < 0 ? floors.indexOf('*') : floor
  }

  test('imports only the libraries that it is built on', () => {
    const wrong = importsOf(name).filter(({ from, specifier }) => {
      if (specifier.startsWith('.')) return relative(root, resolve(dirname(from), specifier)).startsWith('..')
      if (specifier === 'dinghy') return true
      const used = /^@dinghy\/([^/]+)/.exec(specifier)?.[1]
      return used !== undefined && !uses.includes(used) && !(used === 'testing' && isTest(from))
    })
    expect(wrong).toEqual([])
  })

  test('imports inside it only go down', () => {
    const wrong = importsOf(name).filter(({ from, specifier }) => {
      if (!specifier.startsWith('.') || isTest(from)) return false
      const [here, there] = [roomOf(from), roomOf(resolve(dirname(from), specifier))]
      return there === 'testing' || (here !== there && floorOf(there) >= floorOf(here) && !bothUnnamed(here, there))
    })
    expect(wrong.map(({ from, specifier }) => `${relative(root, from)} → ${specifier}`)).toEqual([])
  })

  /** Files that `*` stands for are one room. */
  function bothUnnamed(here: string, there: string): boolean {
    return [here, there].every((room) => !floors.some((rooms) => rooms.split(' ').includes(room)))
  }

  test('every folder has a floor', () => {
    const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
    const rooms = new Set(files.filter((file) => !isTest(file)).map((file) => roomOf(join(root, file))))
    const homeless = [...rooms].filter((room) => floorOf(room) < 0)
    expect(homeless).toEqual([])
  })

  test('has no import cycle', () => {
    expect(findCycle(name)).toBeUndefined()
  })
})

test('only the api-server opens a database', () => {
  const openers = Object.keys(house).filter((name) =>
    importsOf(name).some(({ specifier }) => specifier === 'better-sqlite3'),
  )
  expect(openers).toEqual(['api-server'])
})

/**
 * A chain of files that leads back to its first, or undefined. Imports of types count: a cycle is hard to read either
 * way.
 */
function findCycle(packageName: string): string[] | undefined {
  const edges = new Map<string, string[]>()
  for (const { from, specifier } of importsOf(packageName)) {
    if (!specifier.startsWith('.')) continue
    edges.set(from, [...(edges.get(from) ?? []), resolve(dirname(from), specifier)])
  }
  const done = new Set<string>()
  const visit = (file: string, path: string[]): string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file].map((entry) => relative(packages, entry))
    if (done.has(file)) return undefined
    for (const next of edges.get(file) ?? []) {
      const cycle = visit(next, [...path, file])
      if (cycle) return cycle
    }
    done.add(file)
    return undefined
  }
  for (const file of edges.keys()) {
    const cycle = visit(file, [])
    if (cycle) return cycle
  }
  return undefined
}
