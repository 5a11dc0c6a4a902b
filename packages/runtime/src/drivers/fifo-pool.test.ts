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
  for (let index = 0; index < 5; index++) await take(`early${index}-`)
  // 24 are left. A directory in the place of the next FIFO makes mkfifo fail when the pool is filled again.
  mkdirSync(join(dir, 'pool', '64'))
  await take('last')
  await take('low')
  await vi.waitFor(async () => await expect(take('told')).rejects.toThrow('cannot make FIFOs'))
  await take('again')
})
