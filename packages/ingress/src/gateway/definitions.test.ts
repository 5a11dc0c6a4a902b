/** The CRDs: whole, and told apart from an older version of themselves. */

import { expect, test } from 'vitest'
import { digestAnnotation, gatewayDefinitions } from './definitions.ts'

test('one for each kind of the standard channel, without a reference left', () => {
  const definitions = gatewayDefinitions()
  const kinds = definitions.map(({ spec }) => `${spec.names.kind} ${spec.versions.map(({ name }) => name).join()}`)
  expect(kinds).toEqual(['GatewayClass v1', 'Gateway v1', 'HTTPRoute v1', 'GRPCRoute v1', 'ReferenceGrant v1beta1'])
  expect(JSON.stringify(definitions)).not.toContain('$ref')
  expect(new Set(definitions.map(({ metadata }) => metadata.annotations[digestAnnotation])).size).toBe(5)
})
