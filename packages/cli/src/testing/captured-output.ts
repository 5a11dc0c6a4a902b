/**
 * What a command prints, and how it ends: commands of `dinghy` run inside the test.
 */

import { onTestFinished, vi } from 'vitest'
import { CommanderError } from 'commander'
import { programFor, withoutHelpWord } from '../commands/program.ts'

export interface Ran {
  code: number
  stdout: string
  stderr: string
}

/** Runs a command line as main.ts does. What it throws is thrown. */
export async function run(...words: string[]): Promise<Ran> {
  const printed = { stdout: '', stderr: '' }
  const spies = [
    vi.spyOn(console, 'log').mockImplementation((...texts) => void (printed.stdout += `${texts.join(' ')}\n`)),
    vi.spyOn(console, 'error').mockImplementation((...texts) => void (printed.stderr += `${texts.join(' ')}\n`)),
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => Boolean((printed.stdout += String(text)))),
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => Boolean((printed.stderr += String(text)))),
  ]
  const restore = () => spies.forEach((spy) => spy.mockRestore())
  onTestFinished(restore)
  try {
    const called = withoutHelpWord(words)
    await (await programFor(called)).parseAsync(called, { from: 'user' })
    return { code: Number(process.exitCode ?? 0), ...printed }
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    return { code: error.exitCode === 0 ? 0 : 2, ...printed }
  } finally {
    process.exitCode = 0
    restore()
  }
}
