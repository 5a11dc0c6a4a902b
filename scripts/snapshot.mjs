/**
 * Snapshots: a process as it is when all its code is loaded and nothing has begun, kept in a file by
 * `node --build-snapshot`. A component that wakes from one saves a third of the processor time of its start, which
 * ten processes need at the same moment. Parsing and running 1.2 MB of libraries is what it saves.
 *
 *   main.ts ─esbuild─► main.cjs ─node --build-snapshot─► main.blob + snapshot.json     beside the bundle, main.js
 *
 * snapshot.json says which Node, with which V8 flags, in which directory the snapshot is of; the supervisor wakes a
 * component from it only if all of that is so (packages/cli/src/supervisor/snapshot.ts), and else starts the bundle.
 *
 * Node can keep no process that has loaded node:http, node:https, node:http2 or node:tls. So these are loaded when
 * something of them is first used; their tables (METHODS, STATUS_CODES) are copied when the project is built.
 */

import { execFile } from 'node:child_process'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import { join } from 'node:path'
import tls from 'node:tls'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { cachedDataVersionTag } from 'node:v8'
import { build } from 'esbuild'

export const snapshotFiles = ['main.cjs', 'main.blob', 'snapshot.json']

/** `options`: those of the bundle. */
export async function makeSnapshot({ outdir, ...options }) {
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
  const [blob, facts] = [join(outdir, 'main.blob'), join(outdir, 'snapshot.json')]
  const temporary = `${blob}.${process.pid}`
  // A process that starts just now must not read half of it, nor one that does not go with snapshot.json.
  await rm(facts, { force: true })
  try {
    const flags = ['--no-warnings', '--snapshot-blob', temporary, '--build-snapshot', source]
    await promisify(execFile)(process.execPath, flags)
  } catch (error) {
    // Some builds of Node cannot make any. All works without, only its start takes longer.
    console.warn(`no snapshot was made of ${outdir}: ${error.message}`)
    return
  }
  await rename(temporary, blob)
  await writeFile(facts, JSON.stringify({ node: process.version, v8: cachedDataVersionTag(), directory: outdir }))
}

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
