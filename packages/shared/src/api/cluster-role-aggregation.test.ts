import { expect, test } from 'vitest'
import { aggregatedRules } from './cluster-role-aggregation.ts'
import type { ClusterRole } from './types.ts'

const get = { verbs: ['get'], apiGroups: [''], resources: ['pods'] }
const list = { verbs: ['list'], apiGroups: [''], resources: ['pods'] }
const watch = { verbs: ['watch'], apiGroups: [''], resources: ['pods'] }

function role(name: string, labels: Record<string, string>, rules: ClusterRole['rules'], ...selected: object[]) {
  const aggregationRule = { clusterRoleSelectors: selected.map((matchLabels) => ({ matchLabels })) }
  return { metadata: { name, labels }, rules, ...(selected.length > 0 ? { aggregationRule } : {}) } as ClusterRole
}

test('the rules of what is selected, by name, each once, and none of its own', () => {
  const own = role('own', { to: 'own' }, [watch], { to: 'own' }, { also: 'yes' })
  const all = [
    own,
    role('b', { to: 'own' }, [get, list]),
    role('a', { to: 'own', also: 'yes' }, [list]),
    role('c', {}, [watch]),
  ]
  expect(aggregatedRules(own, all)).toEqual([list, get])
})

test('a role that aggregates nothing has its own rules', () => {
  expect(aggregatedRules(role('a', {}, [get]), [])).toBeUndefined()
})
