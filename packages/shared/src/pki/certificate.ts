/**
 * An X.509 certificate (RFC 5280), written down and signed. It is written by hand, in der.ts' words, because the first
 * start of a cluster makes a dozen, and the library that reads requests takes ten times as long for each.
 */

import { createHash, createPublicKey, type KeyObject, randomBytes, sign, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import {
  bitString,
  boolean,
  contentOf,
  explicit,
  implicit,
  integer,
  namedBits,
  objectIdentifier,
  octetString,
  partsOf,
  sequence,
  set,
  time,
  utf8String,
} from './der.ts'
import type { Subject } from './subject.ts'

export interface CertificateContent {
  /** A DER Name; nameOf() makes one of ours. */
  issuer: Buffer
  subject: Buffer
  /** DER, SubjectPublicKeyInfo. */
  publicKey: Buffer
  notBefore: number
  notAfter: number
  extensions: Buffer[]
}

const ecdsaWithSha256 = sequence(objectIdentifier('1.2.840.10045.4.3.2'))

/** `key`: the issuer's, ECDSA P-256. PEM. */
export function writeCertificate(content: CertificateContent, key: KeyObject): string {
  const { issuer, subject, publicKey, notBefore, notAfter, extensions } = content
  const version3 = explicit(0, integer(Buffer.from([2])))
  // 127 random bits: unlike a counter it needs no memory.
  const serial = randomBytes(16)
  serial.writeUInt8(serial.readUInt8(0) & 0x7f, 0)
  const validity = sequence(time(notBefore), time(notAfter))
  const signed = sequence(
    version3,
    integer(serial),
    ecdsaWithSha256,
    issuer,
    validity,
    subject,
    publicKey,
    explicit(3, sequence(...extensions)),
  )
  const signature = sign('sha256', signed, key)
  return pemOf('CERTIFICATE', sequence(signed, ecdsaWithSha256, bitString(signature)))
}

/** Each value in a set of its own, the groups first, as Go's encoder has it. */
export function nameOf({ user, groups }: Subject): Buffer {
  const attribute = (oid: string, text: string) => set(sequence(objectIdentifier(oid), utf8String(text)))
  return sequence(...groups.map((group) => attribute('2.5.4.10', group)), attribute('2.5.4.3', user))
}

/** The name that a certificate gives to its subject, byte for byte: others compare it so. */
export function subjectOfCertificate(pem: string): Buffer {
  const [signed] = partsOf(new X509Certificate(pem).raw)
  const parts = partsOf(signed ?? Buffer.alloc(0))
  // The version stands first, except in certificates of the first version, which has none.
  return parts[parts[0]?.[0] === 0xa0 ? 5 : 4] ?? Buffer.alloc(0)
}

export function basicConstraints(isAuthority: boolean): Buffer {
  return extension('2.5.29.19', sequence(...(isAuthority ? [boolean(true)] : [])), true)
}

/** Bits as usages.ts numbers them. */
export function keyUsage(bits: number): Buffer {
  return extension('2.5.29.15', namedBits(bits), true)
}

export function extendedKeyUsage(purposes: readonly string[]): Buffer {
  return extension('2.5.29.37', sequence(...purposes.map((purpose) => objectIdentifier(purpose))))
}

/** Of the public key (DER) that belongs to the certificate. */
export function subjectKeyIdentifier(publicKey: Buffer): Buffer {
  return extension('2.5.29.14', octetString(keyIdentifier(publicKey)))
}

/** Of the public key (DER) of the issuer. */
export function authorityKeyIdentifier(publicKey: Buffer): Buffer {
  return extension('2.5.29.35', sequence(implicit(0, keyIdentifier(publicKey))))
}

/** DNS names and addresses. */
export function subjectAlternativeNames(names: readonly string[]): Buffer {
  const general = names.map((name) => (isIP(name) ? implicit(7, addressBytes(name)) : implicit(2, Buffer.from(name))))
  return extension('2.5.29.17', sequence(...general))
}

/** `value`: DER. */
export function extension(oid: string, value: Buffer, isCritical = false): Buffer {
  return sequence(objectIdentifier(oid), ...(isCritical ? [boolean(true)] : []), octetString(value))
}

export function derOf(publicKey: KeyObject): Buffer {
  return publicKey.export({ type: 'spki', format: 'der' })
}

export function publicKeyOf(certificatePem: string): Buffer {
  return derOf(createPublicKey(certificatePem))
}

function pemOf(type: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN ${type}-----\n${lines.join('\n')}\n-----END ${type}-----\n`
}

/** As RFC 5280 proposes: SHA-1 of the bits of the key. It is a name and protects nothing. */
function keyIdentifier(publicKey: Buffer): Buffer {
  const [, bits = Buffer.alloc(2)] = partsOf(publicKey)
  return createHash('sha1').update(contentOf(bits).subarray(1)).digest()
}

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number))
  const [before = '', after] = address.split('::')
  const groupsOf = (text: string) => (text === '' ? [] : text.split(':').map((group) => parseInt(group, 16)))
  const [head, tail] = [groupsOf(before), groupsOf(after ?? '')]
  const groups = [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => 0), ...tail]
  return Buffer.from(groups.flatMap((group) => [group >> 8, group & 0xff]))
}
