/**
 * `node scripts/schema.mjs RELEASE [OUT]`: makes the data file that says what every stable Kubernetes type looks like,
 * packages/shared/src/schema/kubernetes-1.33.json, from the source tree of a Kubernetes release. Its notation is told
 * at the head of packages/shared/src/schema/schema.ts, its reader.
 *
 * RELEASE is a folder that holds what a release publishes (kubernetes-src.tar.gz, or a checkout of the tag):
 *
 *   api/openapi-spec/v3/*__vN_openapi.json   types, required fields, merge rules; which collections can be watched
 *   api/discovery/*__vN.json                 resources: plural, short names, categories, verbs, subresources
 *   staging/src/k8s.io/**\/generated.proto    protobuf field numbers
 *   staging/src/k8s.io/**\/*.go beside those  which fields are pointers, inlined, or written even when empty: neither
 *                                            of the other two tells a pointer from a value
 *
 * Only stable versions (v1, v2) are taken. Nothing is downloaded, and nothing but the result is written.
 *
 * To go to 1.34: unpack its source, run this with `packages/shared/src/schema/kubernetes-1.34.json` as OUT, let
 * schema.ts load that file, remove the old one, and see what `npm test` says: the typed resources of
 * shared/src/api/resources.ts and the kinds of the API server are checked against the data file.
 *
 * Origin of the file that is there: the types of Kubernetes 1.33 as its API server published them, and the field
 * numbers of k8s.io/api v0.33. It was written down before this script existed, on a machine that reaches no release
 * archive. From documents of the published form with the same content this script makes that file byte for byte, but
 * for ten fields marked `always`, which were looked up in Go one by one. What has not been tried is the archive
 * itself: it will bring protobuf numbers and pointers of apiextensions and apiregistration ("-" today) and perhaps
 * more `always`. docs/kubernetes-types.md tells the same to a reader.
 */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { dataFile, renderDataFile } from './schema/data-file.mjs'
import { goStructs } from './schema/go-structs.mjs'
import { protobufMessages } from './schema/protobuf-messages.mjs'

const [release, out] = process.argv.slice(2)
if (!release) {
  console.error('usage: node scripts/schema.mjs RELEASE [OUT]   (RELEASE: the source tree of a Kubernetes release)')
  process.exit(2)
}

const staging = join(release, 'staging', 'src', 'k8s.io')
const protoFiles = filesBelow(staging).filter((path) => basename(path) === 'generated.proto')
const goFiles = protoFiles.flatMap((path) =>
  filesBelow(dirname(path), false).filter((name) => name.endsWith('.go') && !/_test\.go$|\/(generated|zz_)/.test(name)),
)
const text = renderDataFile(
  dataFile({
    documents: stableDocuments(join(release, 'api', 'openapi-spec', 'v3'), /__v\d+_openapi\.json$/),
    discovery: stableDocuments(join(release, 'api', 'discovery'), /__v\d+\.json$/),
    messages: new Map(protoFiles.flatMap((path) => protobufMessages(readFileSync(path, 'utf8')))),
    structs: new Map(goFiles.flatMap((path) => goStructs(readFileSync(path, 'utf8'), dirname(path)))),
  }),
)
if (out) writeFileSync(out, text)
else process.stdout.write(text)

function stableDocuments(folder, pattern) {
  const paths = filesBelow(folder, false).filter((path) => pattern.test(path))
  if (paths.length === 0) throw new Error(`${folder} holds no document of a stable version`)
  return paths.map((path) => JSON.parse(readFileSync(path, 'utf8')))
}

function filesBelow(folder, recursive = true) {
  return readdirSync(folder, { recursive, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .toSorted((a, b) => (a < b ? -1 : 1))
}
