import type { Affinity, PodAffinityTerm } from '@dinghy/shared/api/types'
import { describe, expect, test } from 'vitest'
import { cluster, node, on, pod } from '../testing/objects.ts'
import { fitting, reasons, scores } from '../testing/ask.ts'
import { interPodAffinity } from './inter-pod-affinity.ts'

function zone(name: string, value: string) {
  return node(name, { labels: { zone: value } })
}
function term(labels: Record<string, string>, more: Partial<PodAffinityTerm> = {}): PodAffinityTerm {
  return {
    topologyKey: 'zone',
    labelSelector: { matchLabels: labels },
    ...more,
  }
}
function near(...terms: PodAffinityTerm[]): Affinity {
  return {
    podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms },
  }
}
function farFrom(...terms: PodAffinityTerm[]): Affinity {
  return {
    podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms },
  }
}
const db = pod('db', { labels: { app: 'db' } })

describe('affinity', () => {
  const nodes = cluster([on(zone('a1', 'a'), db), zone('a2', 'a'), zone('b1', 'b'), node('nowhere')])

  test('anywhere in the domain of a matching pod will do', () => {
    const web = pod('web', { spec: { affinity: near(term({ app: 'db' })) } })
    const missing = ["node(s) didn't match pod affinity rules"]
    expect(reasons(interPodAffinity(), web, nodes)).toEqual({ a1: [], a2: [], b1: missing, nowhere: missing })
  })

  test('terms speak of their own namespace, unless they name others', () => {
    const from = (namespace: string, more: Partial<PodAffinityTerm> = {}) =>
      pod('web', { namespace, spec: { affinity: near(term({ app: 'db' }, more)) } })
    expect(fitting(interPodAffinity(), from('other'), nodes)).toEqual([])
    expect(fitting(interPodAffinity(), from('other', { namespaces: ['default'] }), nodes)).toEqual(['a1', 'a2'])
    const labelled = { ...nodes, lookups: { ...nodes.lookups, namespaceLabels: (name: string) => ({ name }) } }
    const chosen = from('other', { namespaceSelector: { matchLabels: { name: 'default' } } })
    expect(fitting(interPodAffinity(), chosen, labelled)).toEqual(['a1', 'a2'])
    expect(fitting(interPodAffinity(), from('other', { namespaceSelector: {} }), labelled)).toEqual(['a1', 'a2'])
  })

  test('the first of a group that wants to be together may go anywhere with the label', () => {
    const group = pod('g', { labels: { app: 'g' }, spec: { affinity: near(term({ app: 'g' })) } })
    expect(fitting(interPodAffinity(), group, nodes)).toEqual(['a1', 'a2', 'b1'])
    const second = cluster([zone('a1', 'a'), on(zone('b1', 'b'), group)])
    expect(fitting(interPodAffinity(), group, second)).toEqual(['b1'])
  })

  test('one pod must satisfy all terms', () => {
    const both = pod('p', { spec: { affinity: near(term({ app: 'db' }), term({ role: 'primary' })) } })
    const apart = cluster([on(zone('a1', 'a'), db, pod('x', { labels: { role: 'primary' } }))])
    expect(fitting(interPodAffinity(), both, apart)).toEqual([])
    const together = cluster([on(zone('a1', 'a'), pod('x', { labels: { app: 'db', role: 'primary' } }))])
    expect(fitting(interPodAffinity(), both, together)).toEqual(['a1'])
  })
})

describe('anti-affinity', () => {
  const alone = pod('alone', { labels: { app: 'alone' }, spec: { affinity: farFrom(term({ app: 'db' })) } })

  test('keeps away from what is there', () => {
    const nodes = cluster([on(zone('a1', 'a'), db), zone('a2', 'a'), zone('b1', 'b'), node('nowhere')])
    const apart = ["node(s) didn't match pod anti-affinity rules"]
    expect(reasons(interPodAffinity(), alone, nodes)).toEqual({ a1: apart, a2: apart, b1: [], nowhere: [] })
  })

  test('what is there keeps newcomers away', () => {
    const nodes = cluster([on(zone('a1', 'a'), alone), zone('a2', 'a'), zone('b1', 'b')])
    const repelled = ["node(s) didn't satisfy existing pods anti-affinity rules"]
    expect(reasons(interPodAffinity(), db, nodes)).toEqual({ a1: repelled, a2: repelled, b1: [] })
    expect(fitting(interPodAffinity(), pod('other'), nodes)).toEqual(['a1', 'a2', 'b1'])
  })
})

describe('scores', () => {
  const prefer = (kind: 'podAffinity' | 'podAntiAffinity', weight: number): Affinity => ({
    [kind]: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight, podAffinityTerm: term({ app: 'db' }) }] },
  })

  test('near what the pod likes, far from what it does not', () => {
    const nodes = cluster([on(zone('a1', 'a'), db), zone('b1', 'b'), node('nowhere')])
    expect(scores(interPodAffinity(), pod('p', { spec: { affinity: prefer('podAffinity', 10) } }), nodes)).toEqual({
      a1: 100,
      b1: 0,
      nowhere: 0,
    })
    expect(scores(interPodAffinity(), pod('p', { spec: { affinity: prefer('podAntiAffinity', 10) } }), nodes)).toEqual({
      a1: 0,
      b1: 100,
      nowhere: 100,
    })
  })

  test('pods that are there have wishes too', () => {
    const fan = pod('fan', { spec: { affinity: prefer('podAffinity', 10) } })
    const follower = pod('follower', { spec: { affinity: near(term({ app: 'db' })) } })
    const nodes = cluster([on(zone('a1', 'a'), fan), on(zone('b1', 'b'), follower), zone('c1', 'c')])
    expect(scores(interPodAffinity(), db, nodes)).toEqual({ a1: 100, b1: 10, c1: 0 })
    expect(scores(interPodAffinity(), pod('p'), nodes)).toBeUndefined()
  })
})
