import { expect, test } from 'vitest'
import { StageOutput } from './stage-output.ts'

test('stages that run at once are read one after the other', () => {
  const shown: string[] = []
  const output = new StageOutput([0, 2, 5], (text) => shown.push(text))
  output.write(0, 'a')
  output.write(5, 'x')
  output.write(2, 'm')
  output.finish(5)
  output.write(0, 'b')
  expect(shown).toEqual(['a', 'b'])
  output.finish(0)
  output.write(2, 'n')
  expect(shown).toEqual(['a', 'b', 'm', 'n'])
  output.finish(2)
  expect(shown).toEqual(['a', 'b', 'm', 'n', 'x'])
})

test('before an error everything is shown', () => {
  const shown: string[] = []
  const output = new StageOutput([0, 1, 2], (text) => shown.push(text))
  output.write(2, 'z')
  output.write(1, 'y')
  output.flushAll()
  output.write(2, 'late')
  expect(shown).toEqual(['y', 'z', 'late'])
})
