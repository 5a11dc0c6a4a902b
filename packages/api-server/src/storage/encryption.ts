/**
 * Encryption at rest: the values of Secrets lie in the database as AES-256-GCM, as with upstream's
 * EncryptionConfiguration and its provider `aesgcm`. What is read and served is the same, byte for byte.
 *
 * As there, a stored value says how to read it, so both providers read what either has written, and the value is bound
 * to its key: moved to another object it cannot be read. `k8s:enc:aesgcm:v1:KEY:` is upstream's prefix; our KEY is a
 * fingerprint, so a wrong key file is told from a damaged value. There is one key, and it is not rotated.
 */

import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'

export type EncryptionProvider = 'aesgcm' | 'identity'

export const secretsPrefix = '/core/secrets/'
export const encryptedPrefix = 'k8s:enc:aesgcm:v1:'

const algorithm = 'aes-256-gcm'
const keyBytes = 32
const nonceBytes = 12
const tagBytes = 16

export class Encryption {
  readonly provider: EncryptionProvider
  readonly #path: string
  #key: { bytes: Buffer; prefix: Buffer } | undefined

  /** `path`: the file of the key. */
  constructor(provider: EncryptionProvider, path: string) {
    this.provider = provider
    this.#path = path
    this.#key = readKey(path)
  }

  /** What the values start with that this key can decrypt; without a key, something that none starts with. */
  get prefix(): Buffer {
    return this.#key?.prefix ?? Buffer.of(0)
  }

  /** Why values of other keys cannot be read. */
  get complaint(): string {
    return this.#key
      ? `Secrets in it are encrypted with another key than the one in ${this.#path}: put the right file there`
      : `Secrets in it are encrypted and their key is gone: put ${this.#path} back`
  }

  /** Makes the key of a new database. */
  ensureKey(): void {
    if (this.provider === 'aesgcm') this.#key ??= makeKey(this.#path)
  }

  encode(key: string, value: Buffer): Buffer {
    if (this.provider === 'identity' || !this.#key || !key.startsWith(secretsPrefix)) return value
    const nonce = randomBytes(nonceBytes)
    const cipher = createCipheriv(algorithm, this.#key.bytes, nonce).setAAD(Buffer.from(key))
    return Buffer.concat([this.#key.prefix, nonce, cipher.update(value), cipher.final(), cipher.getAuthTag()])
  }

  canDecode(stored: Buffer): boolean {
    return !isEncrypted(stored) || (this.#key !== undefined && startsWith(stored, this.#key.prefix))
  }

  decode(key: string, stored: Buffer): Buffer {
    if (!key.startsWith(secretsPrefix) || !isEncrypted(stored)) return stored
    if (!this.#key || !this.canDecode(stored)) throw new Error(this.complaint)
    const sealed = stored.subarray(this.#key.prefix.length)
    const decipher = createDecipheriv(algorithm, this.#key.bytes, sealed.subarray(0, nonceBytes))
    decipher.setAAD(Buffer.from(key)).setAuthTag(sealed.subarray(-tagBytes))
    return Buffer.concat([decipher.update(sealed.subarray(nonceBytes, -tagBytes)), decipher.final()])
  }
}

/** JSON starts with a brace. */
function isEncrypted(stored: Buffer): boolean {
  return startsWith(stored, Buffer.from(encryptedPrefix))
}

function startsWith(bytes: Buffer, prefix: Buffer): boolean {
  return bytes.subarray(0, prefix.length).equals(prefix)
}

function readKey(path: string): { bytes: Buffer; prefix: Buffer } | undefined {
  try {
    return keyOf(path, readFileSync(path, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return undefined
  }
}

function makeKey(path: string): { bytes: Buffer; prefix: Buffer } {
  const text = `${randomBytes(keyBytes).toString('base64')}\n`
  const file = openSync(path, 'wx', 0o600)
  writeSync(file, text)
  // Before anything is encrypted with it: a key that a power cut took away takes all Secrets with it.
  fsyncSync(file)
  closeSync(file)
  return keyOf(path, text)
}

function keyOf(path: string, text: string): { bytes: Buffer; prefix: Buffer } {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.length !== keyBytes) throw new Error(`${path} is not a key: it must hold ${keyBytes} bytes in base64`)
  const fingerprint = createHash('sha256').update(bytes).digest('hex').slice(0, 8)
  return { bytes, prefix: Buffer.from(`${encryptedPrefix}${fingerprint}:`) }
}
