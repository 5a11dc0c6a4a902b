/**
 * A certificate authority: makes itself, issues certificates for servers and clients, signs requests (PKCS#10). All of
 * it works on PEM texts and knows no files; pair-files.ts keeps them.
 *
 * Callers may rely on: keys are ECDSA P-256; a certificate is valid five minutes before it was made, for clocks that
 * differ, and never longer than its authority, as upstream's signer has it; a request is signed only if it proves that
 * its sender has the key.
 *
 * The library behind this file takes 50 ms of processor time to load, so this file itself is loaded by a dynamic
 * import, where a certificate is made. Whoever only reads certificates needs renewal.ts or subject.ts.
 */

import 'reflect-metadata/lite'
import { randomBytes, webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsagesExtension,
  Name,
  PemConverter,
  Pkcs10CertificateRequest,
  Pkcs10CertificateRequestGenerator,
  type PublicKey,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'
import type { Subject } from './subject.ts'
import { readUsages } from './usages.ts'

/** A certificate and its private key, both as PEM. */
export interface KeyPair {
  certificate: string
  key: string
}

export interface Validity {
  /** Milliseconds since the epoch. */
  now: number
  expiresInSeconds: number
}

export interface CertificateOptions extends Validity {
  subject: Subject
  /** Kubernetes' words: "digital signature", "client auth", … */
  usages: readonly string[]
  /** DNS names and addresses that a server is reached by. */
  names?: readonly string[]
}

export interface SigningOptions extends Validity {
  usages: readonly string[]
}

/** What a request (PKCS#10) says, for whoever approves it. */
export interface CertificateRequest {
  subject: Subject
  dnsNames: string[]
  ipAddresses: string[]
  emailAddresses: string[]
  uris: string[]
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const backdatedMs = 5 * 60_000

/** Its common name is what people see; trust goes by its key. */
export async function createAuthority(commonName: string, { now, expiresInSeconds }: Validity): Promise<KeyPair> {
  const keys = await newKeys()
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [commonName] }],
    notBefore: new Date(now - backdatedMs),
    notAfter: new Date(now + expiresInSeconds * 1000),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      // As kubeadm: digital signature, key encipherment, certificate sign.
      new KeyUsagesExtension(readUsages(['digital signature', 'key encipherment', 'cert sign']).keyUsage, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { certificate: pemOf(certificate), key: await keyPem(keys.privateKey) }
}

/** A new key with a certificate for it. */
export async function issueCertificate(authority: KeyPair, options: CertificateOptions): Promise<KeyPair> {
  const { subject, names = [] } = options
  const keys = await newKeys()
  const alternatives = names.map((name) => ({ type: isIP(name) ? 'ip' : 'dns', value: name }) as const)
  const certificate = await sign(authority, options, {
    subject: nameOf(subject),
    publicKey: keys.publicKey,
    extensions: alternatives.length > 0 ? [new SubjectAlternativeNameExtension(alternatives)] : [],
  })
  return { certificate, key: await keyPem(keys.privateKey) }
}

/**
 * Signs a request as it is: its subject and its alternative names go into the certificate, whatever else it asks for
 * does not. Throws TypeError for what is no request or not signed by its own key.
 */
export async function signRequest(authority: KeyPair, csrPem: string, options: SigningOptions): Promise<string> {
  const request = await parseRequest(csrPem)
  return await sign(authority, options, {
    subject: request.subjectName,
    publicKey: request.publicKey,
    extensions: request.extensions.filter((extension) => extension instanceof SubjectAlternativeNameExtension),
  })
}

/** Throws like signRequest. */
export async function readRequest(csrPem: string): Promise<CertificateRequest> {
  const request = await parseRequest(csrPem)
  const names = request.extensions.flatMap((extension) =>
    extension instanceof SubjectAlternativeNameExtension ? extension.names.items : [],
  )
  const ofType = (type: string) => names.flatMap((name) => (name.type === type ? [name.value] : []))
  const { subjectName } = request
  return {
    // Unlike a certificate's, a request's subject may name nobody: its approver decides about that.
    subject: { user: subjectName.getField('CN').at(-1) ?? '', groups: subjectName.getField('O') },
    dnsNames: ofType('dns'),
    ipAddresses: ofType('ip'),
    emailAddresses: ofType('email'),
    uris: ofType('url'),
  }
}

/** A new key and a request for a certificate for it. */
export async function createRequest(
  subject: Subject,
  names: readonly string[] = [],
): Promise<{ request: string; key: string }> {
  const keys = await newKeys()
  const alternatives = names.map((name) => ({ type: isIP(name) ? 'ip' : 'dns', value: name }) as const)
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: nameOf(subject),
    keys,
    signingAlgorithm: algorithm,
    extensions: alternatives.length > 0 ? [new SubjectAlternativeNameExtension(alternatives)] : [],
  })
  return { request: `${request.toString('pem')}\n`, key: await keyPem(keys.privateKey) }
}

interface Wanted {
  subject: Name
  publicKey: PublicKey | webcrypto.CryptoKey
  extensions: Extension[]
}

async function sign(authority: KeyPair, { now, expiresInSeconds, usages }: SigningOptions, wanted: Wanted) {
  const issuer = new X509Certificate(authority.certificate)
  const { keyUsage, extended } = readUsages(usages)
  if (now >= issuer.notAfter.getTime()) throw new RangeError('the authority itself has expired')
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: wanted.subject,
    issuer: issuer.subjectName,
    publicKey: wanted.publicKey,
    signingKey: await privateKeyOf(authority.key),
    signingAlgorithm: algorithm,
    notBefore: new Date(now - backdatedMs),
    notAfter: new Date(Math.min(now + expiresInSeconds * 1000, issuer.notAfter.getTime())),
    extensions: [
      ...(keyUsage === 0 ? [] : [new KeyUsagesExtension(keyUsage, true)]),
      ...(extended.length === 0 ? [] : [new ExtendedKeyUsageExtension(extended)]),
      new BasicConstraintsExtension(false, undefined, true),
      await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      ...wanted.extensions,
    ],
  })
  return pemOf(certificate)
}

async function parseRequest(csrPem: string): Promise<Pkcs10CertificateRequest> {
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

/** The groups first, as Go's encoder has it. */
function nameOf({ user, groups }: Subject): Name {
  return new Name([...groups.map((group) => ({ O: [group] })), { CN: [user] }])
}

async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
}

async function privateKeyOf(pem: string): Promise<webcrypto.CryptoKey> {
  return await webcrypto.subtle.importKey('pkcs8', PemConverter.decodeFirst(pem), algorithm, false, ['sign'])
}

async function keyPem(key: webcrypto.CryptoKey): Promise<string> {
  return `${PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`
}

function pemOf(certificate: X509Certificate): string {
  return `${certificate.toString('pem')}\n`
}

/** 127 random bits: unlike a counter it needs no memory. */
function serialNumber(): string {
  const bytes = randomBytes(16)
  bytes[0] = (bytes[0] ?? 0) & 0x7f
  return bytes.toString('hex')
}
