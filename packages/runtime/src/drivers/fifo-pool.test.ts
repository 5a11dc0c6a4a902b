import { lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { FifoPool } from './fifo-pool.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'fifo-pool-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

test('FIFOs are moved to where they are wanted, and left ones are found again', async () => {
  const paths = ['a', 'b', 'c'].map((name) => join(dir, name))
  await new FifoPool(join(dir, 'pool')).take(paths)
  for (const path of paths) {
    const stat = lstatSync(path)
    expect([stat.isFIFO(), stat.mode & 0o777]).toEqual([true, 0o666])
  }
  const left = readdirSync(join(dir, 'pool')).length
  await new FifoPool(join(dir, 'pool')).take([join(dir, 'd')])
  expect(readdirSync(join(dir, 'pool'))).toHaveLength(left - 1)
})

test('what fails in the background is the next one’s error, and no more when it works again', async () => {
  const pool = new FifoPool(join(dir, 'pool'))
  const take = async (name: string) => pool.take(Array.from({ length: 8 }, (_, index) => join(dir, `${name}${index}`)))
  await take('first')
  // A directory in the place of one FIFO of the next batch, and of the one after that, makes mkfifo fail.
  for (const name of ['64', '128']) mkdirSync(join(dir, 'pool', name))
  for (let index = 0; index < 6; index++) await take(`more${index}-`)
  // Eight are left. More are being made, and whoever wants none would never hear that it fails.
  await vi.waitFor(() => expect(pool.take([])).rejects.toThrow('cannot make FIFOs'))
  await take('again')
})
