/**
 * Before a start: has the api-server, which alone knows the database, go on with what is left of a damaged one. A
 * process of its own, once: as a flag of the server that is started again and again it would accept each later loss,
 * too.
 */

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { lastWordsIn } from './last-words.ts'
import type { ComponentSpec } from './components.ts'

/** What is lost, in a sentence. */
export async function acceptDataLoss(specs: Pick<ComponentSpec, 'kind' | 'args'>[]): Promise<string> {
  const args = specs.find(({ kind }) => kind === 'api-server')?.args ?? []
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [...args, '--accept-data-loss'])
    return stdout
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('{'))
      .join('\n')
  } catch (error) {
    const { stdout = '' } = error as { stdout?: string }
    throw new Error(lastWordsIn(stdout) ?? 'the API server could not look at the database', { cause: error })
  }
}
