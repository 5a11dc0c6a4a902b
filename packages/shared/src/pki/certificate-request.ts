/**
 * Requests for certificates (PKCS#10), which strangers send: read by a library that has been read by many, and believed
 * only if they are signed with the key that they ask a certificate for.
 */

import 'reflect-metadata/lite'
import { webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import {
  Name,
  PemConverter,
  Pkcs10CertificateRequest,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
} from '@peculiar/x509'
import type { Subject } from './subject.ts'

/** What a request says, for whoever approves it. */
export interface CertificateRequest {
  /** A request's subject may name nobody: its approver decides about that. */
  subject: Subject
  dnsNames: string[]
  ipAddresses: string[]
  emailAddresses: string[]
  uris: string[]
}

/** The parts that go into a certificate, as DER. Throws TypeError for what is no request, or not signed by its key. */
export async function parseRequest(
  csrPem: string,
): Promise<{ subject: Buffer; publicKey: Buffer; extensions: Buffer[] }> {
  const request = await verified(csrPem)
  return {
    subject: Buffer.from(request.subjectName.toArrayBuffer()),
    publicKey: Buffer.from(request.publicKey.rawData),
    extensions: alternativeNamesOf(request).map(({ rawData }) => Buffer.from(rawData)),
  }
}

export async function readRequest(csrPem: string): Promise<CertificateRequest> {
  const request = await verified(csrPem)
  const names = alternativeNamesOf(request).flatMap((extension) => extension.names.items)
  const ofType = (type: string) => names.flatMap((name) => (name.type === type ? [name.value] : []))
  const { subjectName } = request
  return {
    subject: { user: subjectName.getField('CN').at(-1) ?? '', groups: subjectName.getField('O') },
    dnsNames: ofType('dns'),
    ipAddresses: ofType('ip'),
    emailAddresses: ofType('email'),
    uris: ofType('url'),
  }
}

/** A new key and a request for a certificate for it. */
export async function createRequest(
  { user, groups }: Subject,
  names: readonly string[] = [],
): Promise<{ request: string; key: string }> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const alternatives = names.map((name) => ({ type: isIP(name) ? 'ip' : 'dns', value: name }) as const)
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: new Name([...groups.map((group) => ({ O: [group] })), { CN: [user] }]),
    keys,
    signingAlgorithm: algorithm,
    extensions: alternatives.length > 0 ? [new SubjectAlternativeNameExtension(alternatives)] : [],
  })
  const key = PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY')
  return { request: `${request.toString('pem')}\n`, key: `${key}\n` }
}

async function verified(csrPem: string): Promise<Pkcs10CertificateRequest> {
  const [block] = PemConverter.isPem(csrPem) ? PemConverter.decodeWithHeaders(csrPem) : []
  if (block?.type !== 'CERTIFICATE REQUEST') throw new TypeError('PEM block type must be CERTIFICATE REQUEST')
  let request
  try {
    request = new Pkcs10CertificateRequest(block.rawData)
  } catch (error) {
    throw new TypeError(`the certificate request cannot be read: ${(error as Error).message}`, { cause: error })
  }
  if (!(await request.verify())) throw new TypeError('the signature of the certificate request is wrong')
  return request
}

function alternativeNamesOf({ extensions }: Pkcs10CertificateRequest): SubjectAlternativeNameExtension[] {
  return extensions.filter((extension) => extension instanceof SubjectAlternativeNameExtension)
}
