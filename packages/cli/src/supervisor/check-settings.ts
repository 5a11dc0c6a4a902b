/**
 * Asks the components whether they take the flags that were set, before anything is started: which flags there are, and
 * which values they take, is written down nowhere but in the components themselves.
 */

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { type Settings, settingsFor } from '../cluster/settings.ts'
import { UsageError } from '@dinghy/clients/command-line/command'
import type { ComponentSpec } from './components.ts'

/** Throws with the first component's own words if it refuses its flags. */
export async function checkSettings(settings: Settings, specs: ComponentSpec[]): Promise<void> {
  const isSet = ({ kind, name }: ComponentSpec) => Object.keys(settingsFor(settings, kind, name)).length > 0
  await Promise.all(specs.filter(isSet).map(check))
}

async function check({ name, kind, args }: ComponentSpec): Promise<void> {
  try {
    await promisify(execFile)(process.execPath, [...args, '--check-flags'])
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: string }
    // Anything but the exit code of a program that has said what it wants is not about flags.
    if (code !== 1 || !stderr) throw error
    const said = stderr.trim().replace(`${kind}: `, '').replace(' (see --help)', '')
    throw new UsageError(`${name}: ${said}; \`dinghy settings ${kind}\` lists its flags`)
  }
}
