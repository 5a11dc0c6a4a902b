/**
 * Certificates and keys on disk, as kubeadm names them: NAME.crt beside NAME.key. The only place that writes keys:
 * they are their owner's alone from the first moment, and no reader ever sees half a file.
 */

import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { KeyPair } from './authority.ts'

/** Undefined if either is missing. */
export function readPair(directory: string, name: string): KeyPair | undefined {
  const certificate = readIfPresent(join(directory, `${name}.crt`))
  const key = readIfPresent(join(directory, `${name}.key`))
  return certificate === undefined || key === undefined ? undefined : { certificate, key }
}

/** The key comes first: a certificate without one would look like a pair that somebody has damaged. */
export function writePair(directory: string, name: string, { certificate, key }: KeyPair): void {
  writeSecret(join(directory, `${name}.key`), key)
  writePublic(join(directory, `${name}.crt`), certificate)
}

/** Makes the directory, too. */
export function writeSecret(path: string, text: string): void {
  writeWhole(path, text, 0o600)
}

export function writePublic(path: string, text: string): void {
  writeWhole(path, text, 0o644)
}

export function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function writeWhole(path: string, text: string, mode: number): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const temporary = `${path}.${process.pid}.tmp`
  writeFileSync(temporary, text, { mode })
  renameSync(temporary, path)
}
