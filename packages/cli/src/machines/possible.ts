/**
 * Whether this machine can have nodes that are machines, and if not, why: tried, not guessed, with a bridge and a cable
 * in a namespace that the kernel takes away again.
 */

import { UsageError } from '@dinghy/clients/command-line/command'
import type { NetworkMode } from '../cluster/addresses.ts'
import { isNestedRoot } from './user-namespace.ts'
import { hasTool, runScript } from '@dinghy/shared/process/shell'

export interface Decision {
  network: NetworkMode
  /** Why it is loopback though nobody asked for it. */
  reason?: string
}

const tools = ['ip', 'nsenter', 'unshare', 'umount']

/** `auto`: machines where that can be; an ordinary user has to ask for them. */
export async function decideNetwork(asked: 'auto' | NetworkMode, driver: string): Promise<Decision> {
  if (asked === 'loopback') return { network: 'loopback' }
  const reason = whyNoMachines(driver)
  if (asked === 'machines') {
    if (reason !== undefined) throw new UsageError(`this cluster's network cannot be machines here: ${reason}`)
    return { network: 'machines' }
  }
  const isRoot = process.getuid?.() === 0 && !isNestedRoot()
  const why = reason ?? (isRoot ? await whatFails() : 'an ordinary user has to ask for them: --network machines')
  return why === undefined ? { network: 'machines' } : { network: 'loopback', reason: why }
}

function whyNoMachines(driver: string): string | undefined {
  if (process.platform !== 'linux') return 'only Linux has network namespaces'
  if (driver === 'process') return 'the process driver has no network namespaces'
  const missing = tools.find((tool) => !hasTool(tool))
  return missing === undefined ? undefined : `the program ${missing} is not installed`
}

async function whatFails(): Promise<string | undefined> {
  const { stderr } = await runScript(
    'exec unshare --net ip -batch - <<END\nlink add try type bridge\nlink add cable type veth peer name end\nEND\n',
    '/',
  )
  return stderr.trim() === '' ? undefined : stderr.trim().split('\n')[0]
}
