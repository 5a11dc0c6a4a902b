/**
 * The signers of Kubernetes' own (kubernetes.io/…): what each of them takes for a request of its kind. Pure; follows
 * pkg/apis/certificates/helpers.go and pkg/controller/certificates/signer.
 */

import type { CertificateSigningRequest } from '@dinghy/shared/api/types'
import type { CertificateRequest } from '@dinghy/shared/pki/certificate-request'

export const kubeletClient = 'kubernetes.io/kube-apiserver-client-kubelet'

type Problem = string | undefined
type Rule = (request: CertificateRequest, usages: readonly string[]) => Problem

const rules: Record<string, Rule> = {
  'kubernetes.io/kube-apiserver-client': (_request, usages) => clientProblem(usages),
  [kubeletClient]: kubeletClientProblem,
  'kubernetes.io/kubelet-serving': kubeletServingProblem,
  'kubernetes.io/legacy-unknown': () => undefined,
}

export function isOwnSigner(signerName: string): boolean {
  return Object.hasOwn(rules, signerName)
}

/** Why the signer does not sign this; undefined if it does. */
export function signingProblem({ spec }: CertificateSigningRequest, request: CertificateRequest): Problem {
  return rules[spec.signerName]?.(request, spec.usages ?? [])
}

function clientProblem(usages: readonly string[]): Problem {
  const wrong = usages.find((usage) => !['digital signature', 'key encipherment', 'client auth'].includes(usage))
  if (wrong !== undefined) return `invalid usage for client certificate: ${wrong}`
  return usages.includes('client auth') ? undefined : 'missing required usage for client certificate: client auth'
}

export function kubeletClientProblem(request: CertificateRequest, usages: readonly string[]): Problem {
  const { dnsNames, ipAddresses, emailAddresses, uris } = request
  if (!isOfNodes(request)) return 'subject organization is not system:nodes'
  if (dnsNames.length > 0) return 'DNS subjectAltNames are not allowed'
  if (emailAddresses.length > 0) return 'Email subjectAltNames are not allowed'
  if (ipAddresses.length > 0) return 'IP subjectAltNames are not allowed'
  if (uris.length > 0) return 'URI subjectAltNames are not allowed'
  if (!isNode(request)) return 'subject common name does not begin with system:node: '
  return usagesProblem(usages, 'client auth')
}

function kubeletServingProblem(request: CertificateRequest, usages: readonly string[]): Problem {
  const { dnsNames, ipAddresses, emailAddresses, uris } = request
  if (!isOfNodes(request)) return 'subject organization is not system:nodes'
  if (dnsNames.length + ipAddresses.length === 0) return 'DNS or IP subjectAltName is required'
  if (emailAddresses.length > 0) return 'Email subjectAltNames are not allowed'
  if (uris.length > 0) return 'URI subjectAltNames are not allowed'
  if (!isNode(request)) return 'subject common name does not begin with system:node: '
  return usagesProblem(usages, 'server auth')
}

function isOfNodes({ subject: { groups } }: CertificateRequest): boolean {
  return groups.length === 1 && groups[0] === 'system:nodes'
}

function isNode({ subject: { user } }: CertificateRequest): boolean {
  return user.startsWith('system:node:')
}

/** Exactly these; an RSA key may be used for key encipherment, too. */
function usagesProblem(usages: readonly string[], purpose: string): Problem {
  const needed = [purpose, 'digital signature'].sort()
  const given = [...new Set(usages)].filter((usage) => usage !== 'key encipherment').sort()
  return given.join() === needed.join() ? undefined : `usages did not match [${needed.join(' ')}]`
}
