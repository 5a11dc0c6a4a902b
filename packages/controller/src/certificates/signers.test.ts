import { expect, test } from 'vitest'
import type { CertificateSigningRequest } from '@dinghy/shared/api/types'
import type { CertificateRequest } from '@dinghy/shared/pki/certificate-request'
import { isOwnSigner, signingProblem } from './signers.ts'

const node: CertificateRequest = {
  subject: { user: 'system:node:n1', groups: ['system:nodes'] },
  dnsNames: [],
  ipAddresses: [],
  emailAddresses: [],
  uris: [],
}
const served = { ...node, ipAddresses: ['10.0.0.1'] }
const jane = { ...node, subject: { user: 'jane', groups: ['devs'] } }

test.each<[signer: string, usages: string, request: CertificateRequest, problem: string | undefined]>([
  ['kube-apiserver-client', 'client auth', jane, undefined],
  ['kube-apiserver-client', 'client auth,digital signature,key encipherment', jane, undefined],
  ['kube-apiserver-client', 'client auth,server auth', jane, 'invalid usage for client certificate: server auth'],
  ['kube-apiserver-client', 'digital signature', jane, 'missing required usage for client certificate: client auth'],
  ['kube-apiserver-client-kubelet', 'client auth,digital signature', node, undefined],
  ['kube-apiserver-client-kubelet', 'client auth,digital signature,key encipherment', node, undefined],
  ['kube-apiserver-client-kubelet', 'client auth', node, 'usages did not match [client auth digital signature]'],
  ['kube-apiserver-client-kubelet', 'client auth,digital signature', jane, 'subject organization is not system:nodes'],
  ['kube-apiserver-client-kubelet', 'client auth,digital signature', served, 'IP subjectAltNames are not allowed'],
  [
    'kube-apiserver-client-kubelet',
    'client auth,digital signature',
    { ...node, subject: { user: 'n1', groups: ['system:nodes'] } },
    'subject common name does not begin with system:node: ',
  ],
  ['kubelet-serving', 'server auth,digital signature', served, undefined],
  ['kubelet-serving', 'server auth,digital signature', node, 'DNS or IP subjectAltName is required'],
  ['kubelet-serving', 'client auth,digital signature', served, 'usages did not match [digital signature server auth]'],
  [
    'kubelet-serving',
    'server auth,digital signature',
    { ...served, uris: ['spiffe://x'] },
    'URI subjectAltNames are not allowed',
  ],
])('%s, %s, %j: %s', (signer, usages, request, problem) => {
  const spec = { signerName: `kubernetes.io/${signer}`, usages: usages.split(',') }
  expect(signingProblem({ spec } as CertificateSigningRequest, request)).toBe(problem)
})

test('other signers are not ours', () => {
  expect(isOwnSigner('kubernetes.io/kubelet-serving')).toBe(true)
  expect(isOwnSigner('example.com/own')).toBe(false)
  expect(isOwnSigner('toString')).toBe(false)
})
