/**
 * A certificate authority: makes itself, issues certificates for servers and clients, signs requests (PKCS#10). All of
 * it works on PEM texts and knows no files; pair-files.ts keeps them.
 *
 * Callers may rely on: keys are ECDSA P-256; a certificate is valid five minutes before it was made, for clocks that
 * differ, and never longer than its authority, as upstream's signer has it; a request is signed only if it proves that
 * its sender has the key.
 *
 * Requests come from strangers, so a library reads them, which takes 50 ms of processor time to load; nothing else here
 * loads it.
 */

import { createPrivateKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto'
import {
  authorityKeyIdentifier,
  basicConstraints,
  derOf,
  extendedKeyUsage,
  keyUsage,
  nameOf,
  publicKeyOf,
  subjectAlternativeNames,
  subjectKeyIdentifier,
  subjectOfCertificate,
  writeCertificate,
} from './certificate.ts'
import type { CertificateRequest } from './certificate-request.ts'
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

export interface SigningOptions extends Validity {
  /** Kubernetes' words: "digital signature", "client auth", … */
  usages: readonly string[]
}

export interface CertificateOptions extends SigningOptions {
  subject: Subject
  /** DNS names and addresses that a server is reached by. */
  names?: readonly string[]
}

const backdatedMs = 5 * 60_000

/** Its common name is what people see; trust goes by its key. */
export function createAuthority(commonName: string, { now, expiresInSeconds }: Validity): KeyPair {
  const { publicKey, privateKey } = newKeys()
  const name = nameOf({ user: commonName, groups: [] })
  const der = derOf(publicKey)
  const certificate = writeCertificate(
    {
      issuer: name,
      subject: name,
      publicKey: der,
      notBefore: now - backdatedMs,
      notAfter: now + expiresInSeconds * 1000,
      // As kubeadm's.
      extensions: [
        keyUsage(readUsages(['digital signature', 'key encipherment', 'cert sign']).keyUsage),
        basicConstraints(true),
        subjectKeyIdentifier(der),
      ],
    },
    privateKey,
  )
  return { certificate, key: keyPem(privateKey) }
}

/** A new key with a certificate for it. Throws RangeError when the authority has expired. */
export function issueCertificate(authority: KeyPair, options: CertificateOptions): KeyPair {
  const { subject, names = [] } = options
  const { publicKey, privateKey } = newKeys()
  const certificate = certify(authority, options, {
    subject: nameOf(subject),
    publicKey: derOf(publicKey),
    extensions: names.length > 0 ? [subjectAlternativeNames(names)] : [],
  })
  return { certificate, key: keyPem(privateKey) }
}

/**
 * Signs a request as it is: its subject and its alternative names go into the certificate, whatever else it asks for
 * does not. Throws TypeError for what is no request or not signed by its own key.
 */
export async function signRequest(authority: KeyPair, csrPem: string, options: SigningOptions): Promise<string> {
  const { parseRequest } = await import('./certificate-request.ts')
  return certify(authority, options, await parseRequest(csrPem))
}

/** Throws like signRequest. */
export async function readRequest(csrPem: string): Promise<CertificateRequest> {
  const requests = await import('./certificate-request.ts')
  return await requests.readRequest(csrPem)
}

/** All of it in DER. */
interface Certified {
  subject: Buffer
  publicKey: Buffer
  extensions: Buffer[]
}

function certify(authority: KeyPair, { now, expiresInSeconds, usages }: SigningOptions, wanted: Certified): string {
  const expiresAt = Date.parse(new X509Certificate(authority.certificate).validTo)
  if (now >= expiresAt) throw new RangeError('the authority itself has expired')
  const { keyUsage: bits, extended } = readUsages(usages)
  return writeCertificate(
    {
      issuer: subjectOfCertificate(authority.certificate),
      subject: wanted.subject,
      publicKey: wanted.publicKey,
      notBefore: now - backdatedMs,
      notAfter: Math.min(now + expiresInSeconds * 1000, expiresAt),
      extensions: [
        ...(bits === 0 ? [] : [keyUsage(bits)]),
        ...(extended.length === 0 ? [] : [extendedKeyUsage(extended)]),
        basicConstraints(false),
        authorityKeyIdentifier(publicKeyOf(authority.certificate)),
        ...wanted.extensions,
      ],
    },
    createPrivateKey(authority.key),
  )
}

function newKeys(): { publicKey: KeyObject; privateKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
}

function keyPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }) as string
}
