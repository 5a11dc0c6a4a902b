/** A state directory that goes with the test. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type ClusterConfig, StateDir } from '../cluster/state-dir.ts'

export const someConfig: ClusterConfig = {
  cluster: 'two',
  slot: 31,
  apiPort: 6474,
  driver: 'process',
  nodes: [{ name: 'node-1' }, { name: 'node-2' }],
}

export function temporaryState(config: ClusterConfig | undefined = someConfig): StateDir {
  const root = mkdtempSync(join(tmpdir(), 'dinghy-cli-'))
  onTestFinished(() => {
    rmSync(root, { recursive: true, force: true })
    rmSync(`${root}.snapshots`, { recursive: true, force: true })
  })
  const state = new StateDir(root)
  state.create()
  if (config) state.writeConfig(structuredClone(config))
  return state
}
