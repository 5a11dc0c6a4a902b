/**
 * DER, the encoding of certificates (ITU-T X.690): every value is a tag, a length and its content. Writing knows the
 * few kinds of value that a certificate is made of. Reading is for values that OpenSSL has read already; what strangers
 * send is not for this file.
 */

/** The universal tags, and those that say "constructed". */
const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
}

export function sequence(...parts: Buffer[]): Buffer {
  return value(tags.sequence, ...parts)
}

export function set(...parts: Buffer[]): Buffer {
  return value(tags.set, ...parts)
}

/** `[number]`: a part of a structure that need not be there. */
export function explicit(number: number, part: Buffer): Buffer {
  return value(0xa0 | number, part)
}

/** `[number] IMPLICIT`: the same, whose own tag is left out. */
export function implicit(number: number, content: Buffer): Buffer {
  return value(0x80 | number, content)
}

export function boolean(isTrue: boolean): Buffer {
  return value(tags.boolean, Buffer.from([isTrue ? 0xff : 0]))
}

/** Of the bytes of a number that is not negative, highest first, in the fewest that say it. */
export function integer(bytes: Buffer): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0)
  const shortest = first < 0 ? Buffer.alloc(1) : bytes.subarray(first)
  const needsZero = (shortest[0] ?? 0) >= 0x80
  return value(tags.integer, ...(needsZero ? [Buffer.alloc(1)] : []), shortest)
}

export function bitString(bytes: Buffer): Buffer {
  return value(tags.bitString, Buffer.alloc(1), bytes)
}

/** A list of named bits, the lowest of `bits` first; zeros at the end are left out. */
export function namedBits(bits: number): Buffer {
  const last = 31 - Math.clz32(bits)
  const bytes = Buffer.alloc(Math.floor(last / 8) + 1)
  for (let bit = 0; bit <= last; bit++) {
    if ((bits & (1 << bit)) !== 0) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (0x80 >> (bit & 7))
  }
  return value(tags.bitString, Buffer.from([7 - (last & 7)]), bytes)
}

export function octetString(content: Buffer): Buffer {
  return value(tags.octetString, content)
}

export function utf8String(text: string): Buffer {
  return value(tags.utf8String, Buffer.from(text))
}

/** "1.2.840.10045.4.3.2" */
export function objectIdentifier(text: string): Buffer {
  const [first = 0, second = 0, ...others] = text.split('.').map(Number)
  return value(tags.objectIdentifier, Buffer.from([40 * first + second, ...others].flatMap(base128)))
}

/** Whole seconds; as RFC 5280 wants it, with two digits for the year up to 2049. */
export function time(ms: number): Buffer {
  const digits = new Date(ms)
    .toISOString()
    .replace(/\.\d+Z$/, '')
    .replaceAll(/\D/g, '')
  return Number(digits.slice(0, 4)) < 2050
    ? value(tags.utcTime, Buffer.from(`${digits.slice(2)}Z`))
    : value(tags.generalizedTime, Buffer.from(`${digits}Z`))
}

/** The values that a constructed value is made of, each with its tag and length. */
export function partsOf(constructed: Buffer): Buffer[] {
  const parts: Buffer[] = []
  for (let rest = contentOf(constructed); rest.length > 0;) {
    const end = rest.length - contentAndAfter(rest).length + lengthOf(rest)
    parts.push(rest.subarray(0, end))
    rest = rest.subarray(end)
  }
  return parts
}

export function contentOf(value: Buffer): Buffer {
  return contentAndAfter(value).subarray(0, lengthOf(value))
}

function contentAndAfter(value: Buffer): Buffer {
  const first = value.readUInt8(1)
  return value.subarray(2 + (first < 0x80 ? 0 : first & 0x7f))
}

function lengthOf(value: Buffer): number {
  const first = value.readUInt8(1)
  return first < 0x80 ? first : value.readUIntBE(2, first & 0x7f)
}

function value(tag: number, ...parts: Buffer[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  return Buffer.concat([Buffer.from([tag, ...lengthBytes(length)]), ...parts])
}

function lengthBytes(length: number): number[] {
  if (length < 0x80) return [length]
  const bytes: number[] = []
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256)
  return [0x80 | bytes.length, ...bytes]
}

/** Seven bits a byte; all but the last say that more follow. */
function base128(number: number): number[] {
  const bytes = [number % 128]
  for (let rest = Math.floor(number / 128); rest > 0; rest = Math.floor(rest / 128)) bytes.unshift(0x80 | (rest % 128))
  return bytes
}
