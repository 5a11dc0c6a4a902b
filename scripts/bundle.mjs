/**
 * `npm run build`: the TypeScript of each process and of the packages it uses, joined into one file,
 * packages/NAME/dist/bundle/main.js. Eleven processes start at once on a laptop; reading one file instead of two
 * hundred halves the time and a third of the memory that takes. It checks no types: that is `npm run typecheck`.
 *
 * `npm run watch` goes on and bundles again what a change concerns. A cluster that runs takes up a new bundle when its
 * process is started anew; the supervisor does that when you kill it.
 */

import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import { context } from 'esbuild'
import { root } from './bootstrap.mjs'
import { holdRehearsal } from './rehearsal.mjs'
import { bundleForSnapshot, makeSnapshot, snapshotFiles } from './snapshot.mjs'

/** Each has a main; the other packages are libraries and become part of these. */
const packages = [
  'api-server',
  'scheduler',
  'controller',
  'runtime',
  'registry',
  'node-agent',
  'proxy',
  'dns',
  'ingress',
  'cli',
]

/** Those that a start of a cluster waits for wake from a snapshot; `cli` is the supervisor. */
const withSnapshot = new Set(packages.filter((name) => name !== 'registry'))

/**
 * What our libraries ask for and never use here: Fastify's two compilers of schemas (we have none, see
 * shared/src/http/server.ts), its test client and its check of plugins' versions, HTTP/2, proxies of either kind,
 * forms, logs by way of a worker. Left in, they would double what these libraries cost a process at its start.
 */
const neverUsed = [
  {
    package: 'fastify',
    paths:
      /^(@fastify\/((ajv|fast-json-stringify)-compiler|proxy-addr)|light-my-request|semver|node:https|node:http2)$/,
  },
  { package: 'undici', paths: /client-h2\.js$|socks5-|web\/fetch\/body\.js$/ },
  { package: 'pino', paths: /^thread-stream$/ },
]

const leaveOutWhatIsNeverUsed = {
  name: 'leave-out-what-is-never-used',
  setup({ onResolve }) {
    const nothing = join(root, 'scripts/nothing.cjs')
    onResolve({ filter: /./ }, ({ path, importer }) =>
      neverUsed.some((one) => importer.includes(`/node_modules/${one.package}/`) && one.paths.test(path))
        ? { path: nothing }
        : undefined,
    )
  },
}

const isWatching = process.argv.includes('--watch')

function outdirOf(name) {
  return join(root, 'packages', name, 'dist', 'bundle')
}

async function bundle(name) {
  const outdir = outdirOf(name)
  const options = {
    entryPoints: [join(root, 'packages', name, 'src', 'main.ts')],
    bundle: true,
    platform: 'node',
    target: 'node20',
    logLevel: 'warning',
  }
  const plugins = [leaveOutWhatIsNeverUsed, keepOwnUrls(outdir), leaveLazyPackagesOut]
  const bundling = await context({
    ...options,
    metafile: true,
    outdir,
    splitting: true,
    format: 'esm',
    // CommonJS dependencies ask for node's modules by `require`.
    banner: {
      js: "import { createRequire as createRequireOf } from 'node:module'; const require = createRequireOf(import.meta.url);",
    },
    plugins: [
      ...plugins,
      whenBundled(name, outdir, async () => {
        if (!withSnapshot.has(name)) return
        await bundleForSnapshot({ ...options, plugins, outdir })
        // What was compiled of an earlier text is of no use.
        await rm(join(outdir, 'main.cache'), { force: true })
        if (isWatching) await makeSnapshot(name, outdir)
      }),
    ],
  })
  if (isWatching) return bundling.watch()
  await bundling.rebuild()
  await bundling.dispose()
}

function whenBundled(name, outdir, then) {
  return {
    name: 'when-bundled',
    setup({ onEnd }) {
      onEnd(async ({ metafile }) => {
        if (!metafile) return // esbuild has said what is wrong
        await removeSuperseded(outdir, new Set(Object.keys(metafile.outputs).map((path) => basename(path))))
        await then()
        if (isWatching) console.log(`${new Date().toLocaleTimeString()} bundled ${name}`)
      })
    },
  }
}

/**
 * Chunks are named by their content, so those of earlier builds would pile up. But a cluster that runs while we build
 * still loads the chunks of its own build when it first needs them: each is kept for a week after it was replaced.
 */
async function removeSuperseded(outdir, current) {
  const record = join(outdir, 'superseded.json')
  // The first build has none, and without it each old chunk is merely kept for another week.
  const before = JSON.parse(await readFile(record, 'utf8').catch(() => '{}'))
  const superseded = {}
  for (const file of await readdir(outdir)) {
    if (current.has(file) || notChunks.has(file)) continue
    const since = before[file] ?? Date.now()
    if (Date.now() - since > weekMs) await rm(join(outdir, file))
    else superseded[file] = since
  }
  await writeFile(record, JSON.stringify(superseded))
}

const notChunks = new Set(['superseded.json', ...snapshotFiles])
const weekMs = 7 * 86_400_000

/**
 * A package of others that is imported only when it is needed is found by node then, with the names node gives its
 * exports.
 */
const leaveLazyPackagesOut = {
  name: 'leave-lazy-packages-out',
  setup({ onResolve }) {
    onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
      kind === 'dynamic-import' && !path.startsWith('@dinghy/') ? { path, external: true } : undefined,
    )
  },
}

/** A file that finds what lies beside it by `import.meta.url` must still find it from inside a bundle. */
function keepOwnUrls(outdir) {
  return {
    name: 'keep-own-urls',
    setup({ onLoad }) {
      onLoad({ filter: /\/packages\/[^/]+\/src\/.*\.ts$/ }, async ({ path }) => {
        const text = await readFile(path, 'utf8')
        if (!text.includes('import.meta.url')) return undefined
        const own = `new URL(${JSON.stringify(relative(outdir, path))}, import.meta.url).href`
        return { contents: text.replaceAll('import.meta.url', own), loader: 'ts' }
      })
    },
  }
}

await Promise.all(packages.map(bundle))
if (!isWatching) {
  await holdRehearsal(Object.fromEntries([...withSnapshot].map((name) => [name, outdirOf(name)])))
  await Promise.all([...withSnapshot].map((name) => makeSnapshot(name, outdirOf(name))))
}
