import { expect, test } from 'vitest'
import { normalizeService } from './load/normalize.ts'
import type { Service } from './model.ts'
import { checkAcyclic, inDependencyOrder, inReverseOrder } from './order.ts'

function services(graph: Record<string, string[]>): Record<string, Service> {
  const context = { env: {}, readEnvFile: () => ({}) }
  return Object.fromEntries(
    Object.entries(graph).map(([name, depends_on]) => [
      name,
      normalizeService(name, { image: 'i', depends_on }, context),
    ]),
  )
}

const graph = services({ web: ['api'], api: ['db', 'cache'], db: [], cache: [], lone: [] })
const never = new AbortController().signal

/** "+name" when a service's work begins, "-name" when it ends. */
async function trace(order: typeof inDependencyOrder): Promise<string[]> {
  const events: string[] = []
  const work = async ({ name }: Service) => {
    events.push(`+${name}`)
    await new Promise((resolve) => setImmediate(resolve))
    events.push(`-${name}`)
  }
  await order(graph, work, never)
  return events
}

test.each([
  [
    'dependencies',
    inDependencyOrder,
    ['-db +api', '-cache +api', '-api +web', '+db -cache', '+cache -db', '+lone -db'],
  ],
  ['dependents', inReverseOrder, ['-web +api', '-api +db', '-api +cache', '+db -cache', '+cache -db', '+lone -web']],
])('%s first, and neighbours side by side', async (_name, order, expected) => {
  const events = await trace(order)
  expect(events).toHaveLength(10)
  for (const pair of expected) {
    const [earlier = '', later = ''] = pair.split(' ')
    expect(events.indexOf(earlier), pair).toBeLessThan(events.indexOf(later))
  }
})

test('a failure ends the waiting of others, is thrown once they are done, and what needs it never begins', async () => {
  const begun: string[] = []
  const ended: string[] = []
  const work = async ({ name }: Service, signal: AbortSignal) => {
    begun.push(name)
    if (name === 'db') throw new Error('db is broken')
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    ended.push(name)
  }
  await expect(inDependencyOrder(graph, work, never)).rejects.toThrow('db is broken')
  expect(begun.toSorted()).toEqual(['cache', 'db', 'lone'])
  expect(ended.toSorted()).toEqual(['cache', 'lone'])
})

test('a circle is named', () => {
  expect(() => checkAcyclic(services({ a: ['b'], b: ['c'], c: ['b'] }))).toThrow(
    'dependency cycle detected: b -> c -> b',
  )
  expect(() => checkAcyclic(graph)).not.toThrow()
})
