import { expect, test } from 'vitest'
import { problemsOf } from '../../testing/kind-fixture.ts'

function quota(more: object, hard: object = { pods: '3' }) {
  return { spec: { hard, ...more } }
}

function selecting(...matchExpressions: object[]) {
  return quota({ scopeSelector: { matchExpressions } })
}

const at = 'spec.scopeSelector.matchExpressions'

test.each<[object, string[]]>([
  [quota({ scopes: ['BestEffort'] }), []],
  [quota({ scopes: ['NotTerminating'] }, { pods: '1', 'limits.memory': '1Gi' }), []],
  [selecting({ scopeName: 'PriorityClass', operator: 'In', values: ['high'] }), []],
  [quota({ scopes: ['Sometimes'] }), ['spec.scopes: Invalid value: ["Sometimes"]: unsupported scope']],
  [
    quota({ scopes: ['BestEffort'] }, { pods: '1', cpu: '1' }),
    ['spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource'],
  ],
  [
    quota({ scopes: ['Terminating', 'NotTerminating'] }),
    ['spec.scopes: Invalid value: ["Terminating","NotTerminating"]: conflicting scopes'],
  ],
  [
    selecting({ scopeName: 'PriorityClass', operator: 'In' }),
    [
      `${at}.values: Required value: must be at least one value when \`operator\` is 'In' or 'NotIn' for scope selector`,
    ],
  ],
  [
    selecting({ scopeName: 'PriorityClass', operator: 'Exists', values: ['x'] }),
    [
      `${at}.values: Invalid value: ["x"]: must be no value when \`operator\` is 'Exist' or 'DoesNotExist' for scope selector`,
    ],
  ],
  [
    selecting({ scopeName: 'Terminating', operator: 'Near' }),
    [
      `${at}.operator: Invalid value: "Near": must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity`,
      `${at}.operator: Invalid value: "Near": not a valid selector operator`,
    ],
  ],
])('ResourceQuota %#', (sent, messages) => {
  expect(problemsOf('resourcequotas', sent)).toEqual(messages)
})
