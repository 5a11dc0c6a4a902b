import { loadSchema } from '@dinghy/shared/schema/schema'
import { expect, test } from 'vitest'
import { describedFields, describeField, describeType } from './descriptions.ts'

const schema = loadSchema()

test('every sentence is about a field there is', () => {
  const orphans = describedFields().filter(([type, field]) => field !== '' && !schema.field(type, field))
  expect(orphans).toEqual([])
})

test('a field says what its type says of it, or what it means everywhere', () => {
  const of = (name: string, field: string) => {
    const type = schema.type(name)
    return type && describeField(type, field)
  }
  expect(schema.type('core.v1.PodSpec')).toBeDefined()
  expect(describeType('core.v1.Pod')).toContain('Containers that live and die together')
  expect(of('core.v1.PodSpec', 'nodeName')).toBe('The node it runs on; set by the scheduler.')
  expect(of('flowcontrol.v1.FlowSchema', 'spec')).toBe('What is wanted; written by people.')
  expect(of('core.v1.PodCondition', 'status')).toBe('Whether it holds: True, False or Unknown.')
  expect(of('core.v1.PodSpec', 'overhead')).toBeUndefined()
})
