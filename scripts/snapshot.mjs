/**
 * Snapshots: a process as it is when all its code is loaded and nothing has begun, kept in a file by
 * `node --build-snapshot`. A component that wakes from one saves a third of the processor time of its start, which
 * ten processes need at the same moment. Parsing and running 1.2 MB of libraries is what it saves.
 *
 *   main.ts ─esbuild─► main.cjs ──node --build-snapshot──► main.blob + snapshot.json     beside the bundle, main.js
 *                          └─► rehearsal ─► main.cache ─┘
 *
 * A snapshot keeps the compiled code of functions that have been called, and none of a start has been when it is made.
 * So a cluster is started and stopped once (rehearsal.mjs), and what its processes have compiled goes into the
 * snapshots: 10 to 40 ms less for each. Without it, as in `npm run watch`, all works and takes a little longer.
 *
 * snapshot.json says which Node, with which V8 flags, in which directory the snapshot is of, and what Node is told to
 * wake it; the supervisor does so only if all of that is so (packages/cli/src/supervisor/snapshot.ts), and else starts
 * the bundle.
 *
 * Node can keep no process that has loaded node:http, node:https, node:http2 or node:tls. So these are loaded when
 * something of them is first used; their tables (METHODS, STATUS_CODES) are copied when the project is built.
 */

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import { join } from 'node:path'
import tls from 'node:tls'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { cachedDataVersionTag } from 'node:v8'
import { build } from 'esbuild'

export const snapshotFiles = ['main.cjs', 'main.cache', 'main.blob', 'snapshot.json']

/**
 * V8's flags of a component. They are given when the snapshot is made, because a flag that a process sets itself makes
 * V8 refuse the code of Node's own modules that Node brings along compiled: 15 ms of processor time.
 *
 * undici's parser is one large WebAssembly function; to optimize it takes 100 ms, and we do not need it that fast.
 * Nothing else is optimized in the middle of a start either; runMain (shared/src/process/main.ts) allows it afterwards.
 */
const componentFlags = ['--liftoff-only', '--no-opt']

/** The command line is quick without; and it compares V8's flags with those of snapshots, which are written by none. */
export function flagsOf(name) {
  return name === 'cli' ? [] : componentFlags
}

/** Writes main.cjs. `options`: those of the bundle. */
export async function bundleForSnapshot({ outdir, ...options }) {
  const source = join(outdir, 'main.cjs')
  const url = pathToFileURL(join(outdir, 'main.js')).href
  await build({
    ...options,
    outfile: source,
    splitting: false,
    format: 'cjs',
    // All of this would be kept in the memory of every process.
    minifyWhitespace: true,
    minifySyntax: true,
    metafile: false,
    // A process that wakes has no loader of ES modules.
    supported: { 'dynamic-import': false },
    define: { 'import.meta.url': JSON.stringify(url) },
    banner: { js: requireAnything(url) },
    plugins: [loadLate, compareLate, ...options.plugins],
  })
}

/** What Node is told to wake the component, or what else it shall be told in the place of that. */
export async function writeFacts(outdir, flags) {
  const facts = { node: process.version, v8: cachedDataVersionTag(), directory: outdir, flags }
  await writeFile(join(outdir, 'snapshot.json'), JSON.stringify(facts))
}

/** Of main.cjs, and of main.cache if a rehearsal has written one. */
export async function makeSnapshot(name, outdir) {
  const [source, cache] = [join(outdir, 'main.cjs'), join(outdir, 'main.cache')]
  const [blob, facts] = [join(outdir, 'main.blob'), join(outdir, 'snapshot.json')]
  const temporary = `${blob}.${process.pid}`
  // A process that starts just now must not read half of it, nor one that does not go with snapshot.json.
  await rm(facts, { force: true })
  try {
    const flags = [...flagsOf(name), '--no-warnings', '--snapshot-blob', temporary, '--build-snapshot', loader]
    const words = [...flags, source, ...(existsSync(cache) ? [cache] : [])]
    const { stderr } = await promisify(execFile)(process.execPath, words)
    if (stderr !== '') console.warn(stderr)
  } catch (error) {
    // Some builds of Node cannot make any. All works without, only its start takes longer.
    console.warn(`no snapshot was made of ${outdir}: ${error.message}`)
    return
  }
  await rename(temporary, blob)
  await writeFacts(outdir, [...flagsOf(name), '--snapshot-blob', blob])
}

/** Runs main.cjs. */
export const loader = fileURLToPath(new URL('load-main.cjs', import.meta.url))

/** A snapshot's own `require` knows nothing but Node's modules; packages that are loaded late are asked for by ours. */
function requireAnything(url) {
  return `{
    const [ofNode, url] = [require, ${JSON.stringify(url)}]
    const { createRequire, isBuiltin } = ofNode('node:module')
    require = (name) => (isBuiltin(name) ? ofNode(name) : createRequire(url)(name))
  }`
}

const late = { http, http2, https, tls }

/** Stands in for a module of Node's that is loaded when something of it is first used. */
const loadLate = {
  name: 'load-late',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: new RegExp(`^(node:)?(${Object.keys(late).join('|')})$`) }, ({ path }) => ({
      path: path.replace(/^node:/, ''),
      namespace: 'load-late',
    }))
    onLoad({ filter: /./, namespace: 'load-late' }, ({ path }) => ({ contents: lateModule(path) }))
  },
}

function lateModule(name) {
  const members = Object.keys(late[name]).map((key) =>
    tables.has(key)
      ? `${key}: ${JSON.stringify(late[name][key])},`
      : `get ${key}() { return process.getBuiltinModule('node:${name}').${key} },`,
  )
  return `module.exports = { ${members.join('\n')} }`
}

/** Data that libraries look at while they are loaded. */
const tables = new Set(['METHODS', 'STATUS_CODES', 'maxHeaderSize'])

/** undici looks up one class when it is loaded; it is to look it up when it compares. */
const compareLate = {
  name: 'compare-late',
  setup({ onLoad }) {
    onLoad({ filter: /\/undici\/lib\/core\/util\.js$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8')
      const [imported, compared] = ["const { IncomingMessage } = require('node:http')", '=== IncomingMessage']
      if (!text.includes(imported) || !text.includes(compared)) throw new Error(`${path} is not as we know it`)
      return {
        contents: text
          .replace(imported, "const http = require('node:http')")
          .replaceAll(compared, '=== http.IncomingMessage'),
      }
    })
  },
}
