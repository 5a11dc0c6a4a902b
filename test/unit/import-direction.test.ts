/**
 * Law 1: components never import one another, only `shared`; and inside a package imports point one way.
 * Reads the source as text, so that a wrong import is found even where a type-only one would compile away.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { describe, expect, test } from 'vitest'

const packages = resolve(import.meta.dirname, '../../packages')

/** Inside `shared`: a folder may import itself and the folders before it. */
const sharedOrder = ['api', 'schema', 'http', 'client', 'reconcile', 'process']

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

const components = readdirSync(packages).filter((name) => name !== 'shared')

describe.each(components)('%s', (component) => {
  test('imports no other component', () => {
    const wrong = importsOf(component).filter(({ from, specifier }) =>
      specifier.startsWith('.')
        ? relative(join(packages, component), resolve(dirname(from), specifier)).startsWith('..')
        : specifier === 'dinghy' || (specifier.startsWith('@dinghy/') && !specifier.startsWith('@dinghy/shared/')),
    )
    expect(wrong).toEqual([])
  })

  test('has no import cycle', () => {
    expect(findCycle(component)).toBeUndefined()
  })
})

describe('shared', () => {
  test('imports nothing of the components', () => {
    expect(importsOf('shared').filter(({ specifier }) => specifier.startsWith('@dinghy/'))).toEqual([])
  })

  test('its folders import only those before them', () => {
    const root = join(packages, 'shared', 'src')
    const folder = (path: string) => relative(root, path).split(sep)[0] ?? ''
    const wrong = importsOf('shared').filter(({ from, specifier }) => {
      if (!specifier.startsWith('.') || from.endsWith('.test.ts')) return false
      return sharedOrder.indexOf(folder(resolve(dirname(from), specifier))) > sharedOrder.indexOf(folder(from))
    })
    expect(wrong).toEqual([])
  })

  test('has no import cycle', () => {
    expect(findCycle('shared')).toBeUndefined()
  })
})

test('only the api-server opens a database', () => {
  const openers = components.filter((name) => importsOf(name).some(({ specifier }) => specifier === 'better-sqlite3'))
  expect(openers).toEqual(['api-server'])
})

/** A chain of files that leads back to its first, or undefined. Imports of types count: a cycle is hard to read either way. */
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
