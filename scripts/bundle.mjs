/**
 * The second half of a build: each process' compiled JavaScript joined into one file, packages/NAME/dist/bundle/main.js.
 * Eleven processes start at once on a laptop; reading one file instead of two hundred halves the time and a third of
 * the memory that takes. What runs is still exactly what `tsc -b` wrote, only in fewer files.
 */

import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import { build } from 'esbuild'
import { root } from './bootstrap.mjs'

/** Each has a main; the other packages are libraries and become part of these. */
const packages = ['api-server', 'scheduler', 'controller', 'runtime', 'registry', 'node-agent', 'proxy', 'cli']

/**
 * What Fastify asks for and we never use: the two compilers of schemas (we have none, see shared/src/http/server.ts) and
 * its test client. Left in, they would double what Fastify costs a process at its start.
 */
const nothing = join(root, 'scripts/nothing.cjs')
const neverUsed = {
  '@fastify/ajv-compiler': nothing,
  '@fastify/fast-json-stringify-compiler': nothing,
  'light-my-request': nothing,
}

async function bundle(name) {
  const dist = join(root, 'packages', name, 'dist')
  const outdir = join(dist, 'bundle')
  const { metafile } = await build({
    metafile: true,
    entryPoints: [join(dist, 'main.js')],
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    logLevel: 'warning',
    // A native addon is found by its own package.
    external: ['better-sqlite3'],
    alias: neverUsed,
    // CommonJS dependencies ask for node's modules by `require`.
    banner: {
      js: "import { createRequire as createRequireOf } from 'node:module'; const require = createRequireOf(import.meta.url);",
    },
    plugins: [keepOwnUrls(outdir), leaveLazyPackagesOut],
  })
  await removeSuperseded(outdir, new Set(Object.keys(metafile.outputs).map((path) => basename(path))))
}

/**
 * Chunks are named by their content, so those of earlier builds would pile up. But a cluster that runs while we build
 * still loads the chunks of its own build when it first needs them: each is kept for a week after it was replaced.
 */
async function removeSuperseded(outdir, current) {
  const record = join(outdir, 'superseded.json')
  const before = JSON.parse(await readFile(record, 'utf8').catch(() => '{}'))
  const superseded = {}
  for (const file of await readdir(outdir)) {
    if (current.has(file) || file === basename(record)) continue
    const since = before[file] ?? Date.now()
    if (Date.now() - since > weekMs) await rm(join(outdir, file))
    else superseded[file] = since
  }
  await writeFile(record, JSON.stringify(superseded))
}

const weekMs = 7 * 86_400_000

/** A package of others that is imported only when it is needed is found by node then, with the names node gives its exports. */
const leaveLazyPackagesOut = {
  name: 'leave-lazy-packages-out',
  setup({ onResolve }) {
    onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
      kind === 'dynamic-import' && !path.startsWith('@dinghy/') ? { path, external: true } : undefined,
    )
  },
}

/** A file that finds its assets by `import.meta.url` must still find them from inside a bundle. */
function keepOwnUrls(outdir) {
  return {
    name: 'keep-own-urls',
    setup({ onLoad }) {
      onLoad({ filter: /\/packages\/[^/]+\/dist\/.*\.js$/ }, async ({ path }) => {
        const text = await readFile(path, 'utf8')
        if (!text.includes('import.meta.url')) return undefined
        const own = `new URL(${JSON.stringify(relative(outdir, path))}, import.meta.url).href`
        return { contents: text.replaceAll('import.meta.url', own), loader: 'js' }
      })
    },
  }
}

await Promise.all(packages.map(bundle))
