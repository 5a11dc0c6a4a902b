/**
 * A file's relative paths start at its own directory, wherever it is merged into: so they are made absolute as soon as
 * the file is read. Pure.
 */

import { resolve } from 'node:path'
import { isTree, Replacement, type Tree } from './tree.ts'

/** `base` is where the file's relative paths start; `home` what `~` stands for. */
export function withAbsolutePaths(tree: Tree, base: string, home: string | undefined): Tree {
  const path = (value: unknown) => resolve(base, String(value).replace(/^~(?=\/|$)/, home ?? '~'))
  const files = (value: unknown) => mapItems(value, (item) => (isTree(item) ? at(item, { path }) : path(item)))
  const sourceFile = (value: unknown) => at(value, { file: path })
  const service = (value: unknown) =>
    at(value, {
      build: (build) => (isTree(build) ? at({ context: '.', ...build }, { context }) : context(build)),
      env_file: files,
      label_file: files,
      volumes: (mounts) => mapItems(mounts, mount),
    })
  const context = (value: unknown) => (isRemoteContext(String(value)) ? value : path(value))
  const mount = (value: unknown): unknown => {
    if (isTree(value)) return value['type'] === 'bind' ? at(value, { source: path }) : value
    const text = String(value)
    return isHostPath(text) ? text.replace(/^[^:]+/, (source) => path(source)) : text
  }
  return at(tree, {
    services: (services) => each(services, service),
    secrets: (secrets) => each(secrets, sourceFile),
    configs: (configs) => each(configs, sourceFile),
  })
}

/** A context that the engine fetches itself: a repository or an archive by its address. */
export function isRemoteContext(context: string): boolean {
  return /^(https?:\/\/|git:\/\/|git@|github\.com\/)/.test(context)
}

// "./x:/y", "~/x:/y", "/x:/y"; a path alone ("/x") is an anonymous volume's target.
function isHostPath(mount: string): boolean {
  return /^(\.{1,2}|~|)(\/[^:]*)?:/.test(mount) && !mount.startsWith(':')
}

/** `tree` with the named fields changed, those of them that are there. */
function at(value: unknown, changes: Record<string, (value: unknown) => unknown>): Tree {
  if (!isTree(value)) return value as Tree
  const changed = Object.entries(changes).filter(([field]) => value[field] !== undefined && value[field] !== null)
  return { ...value, ...Object.fromEntries(changed.map(([field, change]) => [field, inside(value[field], change)])) }
}

function each(value: unknown, change: (value: unknown) => unknown): unknown {
  if (!isTree(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, inside(child, change)]))
}

function mapItems(value: unknown, change: (item: unknown) => unknown): unknown {
  return Array.isArray(value) ? value.map(change) : isTree(value) ? value : change(value)
}

function inside(value: unknown, change: (value: unknown) => unknown): unknown {
  return value instanceof Replacement
    ? new Replacement(inside(value.value, change))
    : value === undefined
      ? value
      : change(value)
}
