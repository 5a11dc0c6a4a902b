/**
 * What a certificate may be used for, in the words of Kubernetes' CertificateSigningRequest (certificates.k8s.io/v1
 * KeyUsage), and what X.509 calls it: bits of the key usage, or object identifiers of the extended key usage.
 */

/** Bits as in RFC 5280, the first one lowest. */
const keyUsageBits = new Map([
  ['signing', 1],
  ['digital signature', 1],
  ['content commitment', 2],
  ['key encipherment', 4],
  ['data encipherment', 8],
  ['key agreement', 16],
  ['cert sign', 32],
  ['crl sign', 64],
  ['encipher only', 128],
  ['decipher only', 256],
])

const extendedKeyUsages = new Map([
  ['any', '2.5.29.37.0'],
  ['server auth', '1.3.6.1.5.5.7.3.1'],
  ['client auth', '1.3.6.1.5.5.7.3.2'],
  ['code signing', '1.3.6.1.5.5.7.3.3'],
  ['email protection', '1.3.6.1.5.5.7.3.4'],
  ['s/mime', '1.3.6.1.5.5.7.3.4'],
  ['ipsec end system', '1.3.6.1.5.5.7.3.5'],
  ['ipsec tunnel', '1.3.6.1.5.5.7.3.6'],
  ['ipsec user', '1.3.6.1.5.5.7.3.7'],
  ['timestamping', '1.3.6.1.5.5.7.3.8'],
  ['ocsp signing', '1.3.6.1.5.5.7.3.9'],
  ['microsoft sgc', '1.3.6.1.4.1.311.10.3.3'],
  ['netscape sgc', '2.16.840.1.113730.4.1'],
])

/** Throws for a word that is none of Kubernetes'. */
export function readUsages(usages: readonly string[]): { keyUsage: number; extended: string[] } {
  const unknown = usages.filter((usage) => !keyUsageBits.has(usage) && !extendedKeyUsages.has(usage))
  if (unknown.length > 0) throw new TypeError(`unrecognized usage values: ${JSON.stringify(unknown)}`)
  const keyUsage = usages.reduce((bits, usage) => bits | (keyUsageBits.get(usage) ?? 0), 0)
  return { keyUsage, extended: [...new Set(usages.flatMap((usage) => extendedKeyUsages.get(usage) ?? []))].sort() }
}
