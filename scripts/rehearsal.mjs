/**
 * A rehearsal: a cluster of one node is started and stopped, and each of its processes writes down which code it has
 * compiled for that (load-main.cjs). It touches nothing but a temporary directory and loopback addresses: its driver
 * and its network are those that need no root. Where no cluster can start, snapshots are made without.
 */

import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from './bootstrap.mjs'
import { flagsOf, loader, writeFacts } from './snapshot.mjs'

const dinghy = join(root, 'packages/cli/bin/dinghy.mjs')
const patienceMs = 60_000

/** `outdirs`: of each component, by its name. main.cjs is there. */
export async function holdRehearsal(outdirs) {
  // Elsewhere clusters do not start yet.
  if (process.platform !== 'linux') return
  const stateDir = await mkdtemp(join(tmpdir(), 'dinghy-rehearsal-'))
  const cli = (...args) =>
    promisify(execFile)(process.execPath, [dinghy, ...args, '--state-dir', stateDir], { timeout: patienceMs, env })
  // The command line must find no options of Node's, or it would not do as these facts say.
  const env = { ...process.env, NODE_OPTIONS: '' }
  try {
    for (const [name, outdir] of Object.entries(outdirs)) {
      await rm(join(outdir, 'main.cache'), { force: true })
      // V8 takes code only from a process with the same read-only memory, and snapshots are made without Node's own.
      await writeFacts(outdir, [...flagsOf(name), '--no-node-snapshot', loader, join(outdir, 'main.cjs')])
    }
    await cli(...'up --detach --nodes 1 --driver process --network loopback --set runtime.network=loopback'.split(' '))
    // Not --wipe, which kills: who is killed writes nothing down.
    await cli('down')
  } catch (error) {
    console.warn(
      `snapshots are made without a rehearsal, and a start will take longer: ${error.stderr || error.message}`,
    )
    // Of a cluster that did not start there may be nothing to stop.
    await cli('down', '--wipe').catch(() => undefined)
  } finally {
    await rm(stateDir, { recursive: true, force: true })
  }
}
