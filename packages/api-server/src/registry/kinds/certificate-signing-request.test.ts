import { fieldErrorMessage } from '@dinghy/shared/api/field-errors'
import { describe, expect, test } from 'vitest'
import { created, definitionOf, problemsOf } from '../../testing/kind-fixture.ts'

const pem = '-----BEGIN CERTIFICATE REQUEST-----\nMA==\n-----END CERTIFICATE REQUEST-----\n'
const request = Buffer.from(pem).toString('base64')
const wanted = { request, signerName: 'example.com/signer', usages: ['client auth'] }
function csr(more: object) {
  return { spec: { ...wanted, ...more } }
}

test.each<[object, string[]]>([
  [csr({}), []],
  [csr({ request: 'eA==' }), ['spec.request: Invalid value: "eA==": PEM block type must be CERTIFICATE REQUEST']],
  [csr({ usages: [] }), ['spec.usages: Required value']],
  [
    csr({ usages: ['client auth', 'client auth', 'fun'] }),
    [
      'spec.usages[1]: Duplicate value: "client auth"',
      expect.stringMatching(
        /^spec.usages\[2\]: Unsupported value: "fun": supported values: "any", "cert sign", .*"timestamping"$/,
      ),
    ],
  ],
  [
    csr({ signerName: 'signer' }),
    [
      `spec.signerName: Invalid value: "signer": must be a fully qualified domain and path of the form 'example.com/signer-name'`,
    ],
  ],
  [
    csr({ signerName: 'example/Signer' }),
    [
      'spec.signerName: Invalid value: "example": should be a domain with at least two segments separated by dots',
      expect.stringContaining('spec.signerName: Invalid value: "Signer": validating label "Signer": a lowercase RFC'),
    ],
  ],
  [
    csr({ signerName: 'kubernetes.io/legacy-unknown' }),
    [
      'spec.signerName: Invalid value: "kubernetes.io/legacy-unknown": the legacy signerName is not allowed via this API version',
    ],
  ],
  [
    csr({ expirationSeconds: 599 }),
    ['spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 600 seconds (10 minutes)'],
  ],
])('%#', (sent, messages) => {
  expect(problemsOf('certificatesigningrequests', sent)).toEqual(messages)
})

describe('its verdict', () => {
  const { strategy } = definitionOf('certificatesigningrequests')
  const approval = { type: 'Approved', status: 'True' }
  const withConditions = (...conditions: object[]) => ({
    ...created('certificatesigningrequests', csr({})),
    status: { conditions } as never,
  })
  const approve = (next: object[], previous: object[]) =>
    strategy.subresources?.['approval']?.validateUpdate?.(withConditions(...next), withConditions(...previous))
  const write = (next: object[], previous: object[]) =>
    strategy.validateStatusUpdate?.(withConditions(...next), withConditions(...previous))

  test('is final, and only true', () => {
    expect(approve([approval], [])).toEqual([])
    expect(approve([], [approval])?.map(fieldErrorMessage)).toEqual([
      'status.conditions: Forbidden: updates may not remove a condition of type "Approved"',
    ])
    const both = [
      { type: 'Approved', status: 'False' },
      { type: 'Denied', status: 'True' },
    ]
    expect(approve(both, [])?.map(fieldErrorMessage)).toEqual([
      'status.conditions[0].status: Unsupported value: "False": supported values: "True"',
      'status.conditions[1].type: Invalid value: "Denied": Approved and Denied conditions are mutually exclusive',
    ])
  })

  test('comes through approval, not through the status', () => {
    expect(write([{ type: 'Failed', status: 'True' }], [])).toEqual([])
    expect(write([approval], [])?.map(fieldErrorMessage)).toEqual([
      'status.conditions: Forbidden: updates may not add a condition of type "Approved"',
    ])
    expect(write([{ ...approval, reason: 'x' }], [approval])?.map(fieldErrorMessage)).toEqual([
      'status.conditions: Forbidden: updates may not modify a condition of type "Approved"',
    ])
  })
})
