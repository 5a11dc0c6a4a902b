/**
 * `npm test`: everything that must hold, from a fresh clone: build, lint, format, types of the tests, every test.
 * Arguments go to vitest: `npm test -- scheduler`.
 */

import { prepare, run, tool } from './bootstrap.mjs'

prepare()
run('linting', tool('oxlint'), ['--type-aware', '--deny-warnings'])
run('checking the format', tool('oxfmt'), ['--check'])
run('type-checking', tool('tsc'), [])
run('testing', tool('vitest'), ['run', ...process.argv.slice(2)])
