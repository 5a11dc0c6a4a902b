import { expect, test } from 'vitest'
import { cut, type Output, showWhile, some } from './status-line.ts'
import { FakeClock } from '@dinghy/shared/api/clock'
import { type Flags, type FlagTable, type VerbShape, verbsCommand } from './verbs.ts'

const flags: FlagTable = {
  name: { type: 'string', help: 'n' },
  detach: { type: 'boolean', short: 'd', help: 'd' },
  env: { type: 'string', short: 'e', multiple: true, help: 'e' },
  build: { type: 'boolean', help: 'b' },
  'no-build': { type: 'boolean', help: 'nb' },
  'no-attach': { type: 'string', multiple: true, help: 'na' },
}

async function parse(words: string[], verb: Partial<VerbShape> = {}): Promise<{ flags: Flags; words: string[] }> {
  let ran: { flags: Flags; words: string[] } | undefined
  const command = await verbsCommand(
    {
      name: 'x',
      description: 'd',
      examples: [],
      flags: { file: { type: 'string', short: 'f', help: 'f' } },
      onlyBefore: true,
      verbs: { go: () => Promise.resolve({ words: '', summary: 's', flags, ...verb }) },
      run: (_verb, given, typed) => {
        ran = { flags: given, words: typed }
        return Promise.resolve(0)
      },
    },
    words,
  )
  await command.exitOverride().parseAsync(words, { from: 'user' })
  if (!ran) throw new Error('it did not run')
  return ran
}

test.each([
  [['go', '-d', '--name', 'x', 'image', 'cmd', '-d'], { detach: true, name: 'x' }, ['image', 'cmd', '-d']],
  [['go', '--name=x', '-eA=1', '-e', 'B=2', 'image'], { name: 'x', env: ['A=1', 'B=2'] }, ['image']],
  [['go', '-e', 'A=1', '--', 'image', '-x'], { env: ['A=1'] }, ['image', '-x']],
  [['go', 'image', '--', 'x'], {}, ['image', '--', 'x']],
  [['-f', 'app.yaml', 'go'], { file: 'app.yaml' }, []],
])('a verb that stops at its first word: %j', async (words, given, typed) => {
  expect(await parse(words, { stopsAtFirstWord: true })).toEqual({ flags: given, words: typed })
})

test('otherwise flags may follow words', async () => {
  expect(await parse(['go', 'a', '-d', 'b'])).toEqual({ flags: { detach: true }, words: ['a', 'b'] })
})

test('a flag that begins with "no" is a flag like others', async () => {
  expect((await parse(['go'])).flags).toEqual({})
  expect((await parse(['go', '--no-build'])).flags).toEqual({ 'no-build': true })
  expect((await parse(['go', '--build', '--no-attach', 'a', '--no-attach', 'b'])).flags).toEqual({
    build: true,
    'no-attach': ['a', 'b'],
  })
})

test('on a terminal the line of a wait is redrawn, and goes at the end; elsewhere it is printed when it changes', async () => {
  for (const isTTY of [true, false]) {
    const clock = new FakeClock()
    const written: string[] = []
    const output: Output = { isTTY, columns: 20, write: (text) => written.push(text) }
    let end: (value: string) => void = () => undefined
    const work = new Promise<string>((resolve) => (end = resolve))
    let text: string | undefined
    const shown = showWhile(work, () => text, { clock, output })
    await clock.advance(2_000)
    text = 'waiting for a, which is long'
    await clock.advance(2_000)
    const before = written.length
    await clock.advance(4_000)
    end('done')
    expect(await shown).toBe('done')
    if (isTTY) {
      expect(written[0]).toBe('\r\u001b[Kwaiting for a, whi\u2026')
      expect(written.length).toBeGreaterThan(before)
      expect(written.at(-1)).toBe('\r\u001b[K')
    } else expect(written).toEqual(['waiting for a, which is long\n'])
  }
})

test('a failure of what is waited for is its own', async () => {
  const output: Output = { write: () => undefined }
  const failing = showWhile(Promise.reject(new Error('no')), () => 'x', { clock: new FakeClock(), output })
  await expect(failing).rejects.toThrow('no')
})

test('names for people', () => {
  expect(some(['a', 'b'])).toBe('a, b')
  expect(some(['a', 'b', 'c', 'd', 'e'])).toBe('a, b, c and 2 more')
  expect(cut('short', 80)).toBe('short')
})
