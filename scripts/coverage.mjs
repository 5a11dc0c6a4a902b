/**
 * `npm run coverage`: the unit tests' coverage, one line a package, beside the mark it must not fall below.
 * coverage/index.html then shows which lines no test runs. Arguments go to vitest.
 *
 * Only lines that unit tests run from source count. The processes that end-to-end tests start are not measured: what
 * acts must be held by a test that can make it fail at will.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { prepare, root, run, tool } from './bootstrap.mjs'

/** The share of lines, in per cent, that every package is to reach; a package without a mark below is held to it. */
const goal = { compose: 75, clients: 75, others: 85 }

/**
 * What packages on their way to the goal have reached, rounded down. Raise a mark with the tests; delete it at the
 * goal. The runtime's is what an ordinary user reaches, who cannot run the linux driver's tests; root reaches 85.
 */
const reached = { runtime: 77 }

prepare()
run('testing', tool('vitest'), ['run', '--project', 'unit', '--coverage', ...process.argv.slice(2)])

const rows = linesPerPackage().map(({ name, covered, total }) => {
  const mark = reached[name] ?? goal[name] ?? goal.others
  const percent = total === 0 ? 100 : (100 * covered) / total
  return { name, covered, total, percent, mark, isBelow: percent < mark }
})
console.log(`\n  ${'package'.padEnd(14)}${'lines'.padStart(8)}${'covered'.padStart(10)}${'mark'.padStart(7)}`)
for (const { name, total, percent, mark, isBelow } of rows) {
  const cells = [String(total).padStart(8), `${percent.toFixed(1)} %`.padStart(10), `${mark} %`.padStart(7)]
  console.log(`${isBelow ? '\u2718' : '\u2714'} ${name.padEnd(14)}${cells.join('')}`)
}
const covered = rows.reduce((sum, row) => sum + row.covered, 0)
const total = rows.reduce((sum, row) => sum + row.total, 0)
console.log(
  `  ${'all'.padEnd(14)}${String(total).padStart(8)}${`${((100 * covered) / total).toFixed(1)} %`.padStart(10)}`,
)

const below = rows.filter((row) => row.isBelow).map((row) => row.name)
if (below.length > 0) {
  console.error(`\nBelow the mark: ${below.join(', ')}. coverage/index.html shows the lines that no test runs.`)
  process.exit(1)
}

/** Sums the files of vitest's report; a package none of whose files is in it (it holds types alone) counts as empty. */
function linesPerPackage() {
  const report = JSON.parse(readFileSync(join(root, 'coverage', 'coverage-summary.json'), 'utf8'))
  const sums = new Map(readdirSync(join(root, 'packages')).map((name) => [name, { name, covered: 0, total: 0 }]))
  for (const [file, { lines }] of Object.entries(report)) {
    const sum = sums.get(relative(join(root, 'packages'), file).split(sep)[0])
    if (!sum) continue // the report's own total
    sum.covered += lines.covered
    sum.total += lines.total
  }
  sums.delete('testing')
  return [...sums.values()]
}
