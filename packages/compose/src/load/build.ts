/**
 * `build` of a service: the directory alone, or the long form. Pure.
 */

import { ComposeError } from '../compose-error.ts'
import type { Build, BuildSecret } from '../model.ts'
import { ulimits } from './engine-fields.ts'
import { extraHosts } from './hosts.ts'
import {
  booleanOf,
  checkFields,
  isTree,
  listOf,
  mappingOf,
  optional,
  refuseFields,
  textMappingOf,
  textOf,
  textsOf,
  type Tree,
  treeOf,
  words,
} from './tree.ts'
import { parseBytes } from './units.ts'

const buildFields = words(`
  context dockerfile dockerfile_inline args target labels tags cache_from extra_hosts network shm_size no_cache
  pull secrets ulimits
`)
/** Where caches go, and what the image is attested: nothing that the image's own files depend on. */
const ignoredBuildFields = ['cache_to', 'platforms', 'provenance', 'sbom']
const refusedBuildFields = words('additional_contexts entitlements isolation privileged ssh')

export function parseBuild(value: unknown, env: Record<string, string | undefined>, at: string): Build {
  const tree = typeof value === 'string' ? { context: value } : treeOf(value, at)
  checkFields(tree, [...buildFields, ...ignoredBuildFields, ...refusedBuildFields], at)
  refuseFields(tree, refusedBuildFields, at)
  if (tree['dockerfile'] !== undefined && tree['dockerfile_inline'] !== undefined)
    throw new ComposeError(`${at} declares mutually exclusive dockerfile and dockerfile_inline`)
  const args = Object.entries(mappingOf(tree['args'], `${at}.args`))
  return {
    context: textOf(tree['context'] ?? '.', `${at}.context`),
    args: Object.fromEntries(args.map(([name, arg]) => [name, arg ?? env[name] ?? null])),
    labels: textMappingOf(tree['labels'], `${at}.labels`),
    tags: textsOf(tree['tags'], `${at}.tags`),
    cache_from: textsOf(tree['cache_from'], `${at}.cache_from`).flatMap(cacheImage),
    extra_hosts: extraHosts(tree['extra_hosts'], `${at}.extra_hosts`),
    ...optional('dockerfile', tree['dockerfile'], String),
    ...optional('dockerfile_inline', tree['dockerfile_inline'], String),
    ...optional('target', tree['target'], String),
    ...optional('network', tree['network'], String),
    ...optional('shm_size', tree['shm_size'], (size) => parseBytes(size as string)),
    ...optional('no_cache', tree['no_cache'], (flag) => booleanOf(flag, at)),
    ...optional('pull', tree['pull'], (flag) => booleanOf(flag, at)),
    ...optional('ulimits', tree['ulimits'], (limits) => ulimits(limits, `${at}.ulimits`)),
    ...optional('secrets', tree['secrets'], (secrets) => buildSecrets(secrets, `${at}.secrets`)),
  }
}

/** An image, or BuildKit's long form of one; caches of other types are left out, as the specification wants it. */
function cacheImage(text: string): string[] {
  if (!text.includes('=')) return [text]
  const fields = new Map(text.split(',').map((field) => field.split('=', 2) as [string, string]))
  const image = fields.get('type') === 'registry' ? fields.get('ref') : undefined
  return image === undefined ? [] : [image]
}

function buildSecrets(value: unknown, at: string): BuildSecret[] {
  return listOf(value, at).map((item) => {
    const tree = isTree(item) ? item : ({ source: item } as Tree)
    checkFields(tree, ['source', 'target', 'uid', 'gid', 'mode'], at)
    const { source, target } = tree
    return { source: textOf(source, at), target: textOf(target ?? source, at) }
  })
}
