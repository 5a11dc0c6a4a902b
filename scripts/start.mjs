/**
 * `npm start`: from a fresh clone to a cluster in this terminal. Ctrl-C stops it.
 * Arguments after `--` go to `dinghy up`: `npm start -- --nodes 5`.
 */

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { prepare, root } from './bootstrap.mjs'

prepare()
const up = spawn(process.execPath, [join(root, 'packages/cli/bin/dinghy.mjs'), 'up', ...process.argv.slice(2)], {
  stdio: 'inherit',
})
// The terminal sends Ctrl-C to the whole group; this process only waits for the cluster to have stopped.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => up.kill('SIGTERM'))
up.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)))
