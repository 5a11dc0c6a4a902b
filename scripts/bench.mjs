/**
 * `npm run bench [-- --json] [-- start|cluster|runtime|api|network|ingress] [-- --trace]`: the numbers this project
 * holds itself to, each beside its limit, all measured in this one run. A benchmark, not a test: machines are noisy,
 * so nothing here fails a build.
 */

import { prepare } from './bootstrap.mjs'

const args = process.argv.slice(2)
const json = args.includes('--json')
const chosen = args.filter((arg) => !arg.startsWith('--'))
const suites = {
  start: './bench/start.mjs',
  cluster: './bench/cluster.mjs',
  runtime: './bench/runtime.mjs',
  api: './bench/api.mjs',
  network: './bench/network.mjs',
  ingress: './bench/ingress.mjs',
}

// With --json only the result may stand on stdout.
const log = console.log
if (json) console.log = console.error
prepare()

const results = []
for (const [name, path] of Object.entries(suites)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue
  const { measure } = await import(path)
  for await (const result of measure({ trace: args.includes('--trace') })) {
    results.push(result)
    if (!json) log(render(result))
  }
}
if (json) log(JSON.stringify(results, null, 2))

function render({ name, value, unit, limit, atLeast, comparison }) {
  const holds = (limit === undefined || value <= limit) && (atLeast === undefined || value >= atLeast)
  const against =
    limit !== undefined ? `limit ${limit} ${unit}` : atLeast !== undefined ? `at least ${atLeast} ${unit}` : ''
  const verdict = against === '' ? ' ' : holds ? '\u2714' : '\u2718'
  return [verdict, name.padEnd(58), `${round(value)} ${unit}`.padStart(12), against.padEnd(18), comparison ?? '']
    .join('  ')
    .trimEnd()
}

function round(value) {
  return value >= 100 ? Math.round(value) : Number(value.toPrecision(3))
}
