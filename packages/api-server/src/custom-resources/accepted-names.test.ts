import { getCondition } from '@dinghy/shared/api/conditions'
import type { CustomResourceDefinition } from '@dinghy/shared/api/types'
import { describe, expect, test } from 'vitest'
import { statusFor } from './accepted-names.ts'

const now = '2025-01-01T00:00:00Z'
const widgetNames = {
  plural: 'widgets',
  singular: 'widget',
  shortNames: ['wd'],
  kind: 'Widget',
  listKind: 'WidgetList',
}

interface Given {
  uid?: string
  group?: string
  names?: object
  accepted?: object
  conditions?: object[]
  annotations?: Record<string, string>
  conversion?: object
}

function definition({ uid = 'mine', group = 'example.com', names = widgetNames, ...given }: Given = {}) {
  return {
    metadata: { name: `widgets.${group}`, uid, annotations: given.annotations },
    spec: { group, names, scope: 'Namespaced', versions: [], conversion: given.conversion },
    ...(given.accepted || given.conditions
      ? { status: { acceptedNames: given.accepted, conditions: given.conditions, storedVersions: ['v1'] } }
      : {}),
  } as unknown as CustomResourceDefinition
}

function conditionOf(crd: CustomResourceDefinition, others: CustomResourceDefinition[], type: string) {
  const { status, reason, message } = getCondition(statusFor(crd, others, now)?.conditions, type) ?? {}
  return { status, reason, message }
}

describe('names', () => {
  const rival = (accepted: object, group = 'example.com') => definition({ uid: 'other', group, accepted })

  test.each([
    { taken: { plural: 'widgets' }, reason: 'PluralConflict', message: '"widgets" is already in use' },
    { taken: { shortNames: ['widgets'] }, reason: 'PluralConflict', message: '"widgets" is already in use' },
    { taken: { plural: 'widget' }, reason: 'SingularConflict', message: '"widget" is already in use' },
    { taken: { singular: 'wd' }, reason: 'ShortNamesConflict', message: '"wd" is already in use' },
    { taken: { kind: 'Widget' }, reason: 'KindConflict', message: '"Widget" is already in use' },
    { taken: { kind: 'WidgetList' }, reason: 'ListKindConflict', message: '"WidgetList" is already in use' },
  ])('$taken of another definition: $reason', ({ taken, reason, message }) => {
    const others = [rival({ plural: 'others', singular: 'other', kind: 'Other', listKind: 'OtherList', ...taken })]
    expect(conditionOf(definition(), others, 'NamesAccepted')).toEqual({ status: 'False', reason, message })
    expect(conditionOf(definition(), others, 'Established')).toEqual({
      status: 'False',
      reason: 'NotAccepted',
      message: 'not all names are accepted',
    })
  })

  const accepted = { status: 'True', reason: 'NoConflicts', message: 'no conflicts found' }
  test.each([
    { what: 'nobody has them', others: [] },
    { what: 'another group has them', others: [rival(widgetNames, 'example.org')] },
    { what: 'they are its own', others: [definition({ accepted: widgetNames })] },
  ])('are accepted when $what', ({ others }) => {
    expect(conditionOf(definition(), others, 'NamesAccepted')).toEqual(accepted)
    expect(statusFor(definition(), others, now)?.acceptedNames).toEqual(widgetNames)
  })

  test('what it had, it keeps, also where a change of names is refused', () => {
    const crd = definition({ names: { ...widgetNames, kind: 'Gadget', shortNames: ['gd'] }, accepted: widgetNames })
    const status = statusFor(crd, [rival({ plural: 'gadgets', kind: 'Gadget' })], now)
    expect(status?.acceptedNames).toEqual({ ...widgetNames, shortNames: ['gd'] })
  })

  test('a status that is right already stays the same object', () => {
    const crd = definition()
    const status = statusFor(crd, [], now)
    if (status) crd.status = status
    expect(statusFor(crd, [], '2030-01-01T00:00:00Z')).toBe(status)
  })
})

describe('Established', () => {
  test('stays, whatever happens to the names', () => {
    const conditions = [{ type: 'Established', status: 'True', reason: 'InitialNamesAccepted', message: '' }]
    const crd = definition({ accepted: {}, conditions })
    const others = [definition({ uid: 'other', accepted: widgetNames })]
    expect(conditionOf(crd, others, 'NamesAccepted').status).toBe('False')
    expect(conditionOf(crd, others, 'Established').status).toBe('True')
  })

  test.each(['not PEM', '-----BEGIN CERTIFICATE-----\nabcd\n-----END CERTIFICATE-----'])(
    'not with the bundle %j',
    (bundle) => {
      const clientConfig = { url: 'https://a', caBundle: Buffer.from(bundle).toString('base64') }
      const crd = definition({ conversion: { strategy: 'Webhook', webhook: { clientConfig } } })
      expect(conditionOf(crd, [], 'Established')).toEqual({
        status: 'False',
        reason: 'InvalidCABundle',
        message: 'The conversion webhook CABundle is invalid',
      })
    },
  )
})

test.each([
  { annotation: 'https://github.com/kubernetes/kubernetes/pull/1', status: 'True', reason: 'ApprovedAnnotation' },
  { annotation: 'unapproved, a try', status: 'False', reason: 'UnapprovedAnnotation' },
])("a group of the community's: $annotation", ({ annotation, status, reason }) => {
  const crd = definition({ group: 'x.k8s.io', annotations: { 'api-approved.kubernetes.io': annotation } })
  expect(conditionOf(crd, [], 'KubernetesAPIApprovalPolicyConformant')).toMatchObject({ status, reason })
})
