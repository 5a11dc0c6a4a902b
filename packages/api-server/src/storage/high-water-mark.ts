/**
 * The newest revision that was ever acknowledged, in a small file beside the database: `REVISION CHECKSUM\n`. A
 * database that is opened and ends before its mark has lost acknowledged writes, by whatever damage to whichever file.
 *
 * The mark is written after each commit and before anybody hears of it, and is not forced to the disk: that would
 * double the price of a write. So it is never ahead of the database, whatever dies; after kill -9 it is exact; after a
 * power cut it may be some seconds old and then knows less, and what it does not know the structure of the write-ahead
 * log may still show (write-ahead-log.ts). A mark that cannot be read is no mark.
 */

import { closeSync, constants, fdatasyncSync, openSync, readFileSync, writeSync } from 'node:fs'
import { crc32 } from 'node:zlib'

const digits = 16

export class HighWaterMark {
  /** What it said when it was opened; 0 if it said nothing. */
  readonly found: number
  readonly #file: number

  constructor(path: string) {
    this.#file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600)
    this.found = parse(readFileSync(this.#file, 'utf8'))
  }

  record(revision: number): void {
    writeSync(this.#file, render(revision), 0)
  }

  close(): void {
    fdatasyncSync(this.#file)
    closeSync(this.#file)
  }
}

function render(revision: number): string {
  const number = String(revision).padStart(digits, '0')
  return `${number} ${crc32(number).toString(16).padStart(8, '0')}\n`
}

function parse(text: string): number {
  const revision = Number(text.slice(0, digits))
  return Number.isSafeInteger(revision) && render(revision) === text ? revision : 0
}
