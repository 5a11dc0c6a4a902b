/**
 * `volumes` of a service: the short form and the long one. Paths are absolute already (paths.ts). Pure.
 */

import { ComposeError } from '../compose-error.ts'
import type { Mount } from '../model.ts'
import { booleanOf, checkFields, isTree, listOf, numberOf, optional, refuseFields, textOf, treeOf } from './tree.ts'
import { parseBytes } from './units.ts'

const longFields = ['type', 'source', 'target', 'read_only', 'bind', 'volume', 'tmpfs', 'image', 'consistency']

/** SELinux labels have no meaning where containers are not confined by it, here as in Docker. */
const kindFields = {
  bind: { known: ['propagation', 'create_host_path', 'selinux'], refused: ['recursive'] },
  volume: { known: ['nocopy', 'subpath'], refused: ['labels'] },
  tmpfs: { known: ['size', 'mode'], refused: [] },
  image: { known: ['subpath'], refused: [] },
}

const propagations = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave']

export function parseMount(value: unknown, at: string): Mount {
  return isTree(value) ? parseLong(value, at) : parseShort(textOf(value, at), at)
}

function parseLong(tree: Record<string, unknown>, at: string): Mount {
  checkFields(tree, longFields, at)
  const type = String(tree['type'] ?? '')
  if (type !== 'bind' && type !== 'volume' && type !== 'tmpfs' && type !== 'image')
    throw new ComposeError(`${at}.type: mounts of type "${type}" are not supported; use bind, volume, tmpfs or image`)
  if (tree['target'] === undefined) throw new ComposeError(`${at}.target is required`)
  const [bind, volume, tmpfs, image] = Object.entries(kindFields).map(([kind, { known, refused }]) => {
    const options = treeOf(tree[kind], `${at}.${kind}`)
    checkFields(options, [...known, ...refused], `${at}.${kind}`)
    refuseFields(options, refused, `${at}.${kind}`)
    return options
  })
  return {
    type,
    target: textOf(tree['target'], `${at}.target`),
    read_only: booleanOf(tree['read_only'] ?? false, `${at}.read_only`),
    ...optional('source', tree['source'], String),
    // Only the short form makes the host's directory, as `-v` always did.
    ...(type === 'bind' ? { create_host_path: booleanOf(bind?.['create_host_path'] ?? false, at) } : {}),
    ...optional('propagation', bind?.['propagation'], String),
    ...optional('nocopy', volume?.['nocopy'], (flag) => booleanOf(flag, at)),
    ...optional('subpath', volume?.['subpath'] ?? image?.['subpath'], String),
    ...optional('size', tmpfs?.['size'], (size) => parseBytes(size as string)),
    ...optional('mode', tmpfs?.['mode'], (mode) => numberOf(mode, at)),
  }
}

function parseShort(text: string, at: string): Mount {
  const parts = text.split(':')
  if (parts.some((part) => part === '') || parts.length > 3)
    throw new ComposeError(`${at}: invalid volume specification "${text}"`)
  const [first = '', target, mode = ''] = parts
  if (target === undefined) return { type: 'volume', target: first, read_only: false }
  const options = mode.split(',')
  const isBind = first.startsWith('/')
  const propagation = isBind ? options.find((option) => propagations.includes(option)) : undefined
  return {
    type: isBind ? 'bind' : 'volume',
    source: first,
    target,
    read_only: options.includes('ro'),
    ...(isBind ? { create_host_path: true } : {}),
    ...(propagation !== undefined ? { propagation } : {}),
    ...(options.includes('nocopy') ? { nocopy: true } : {}),
  }
}

/** What a mount covers: two mounts of one target cannot both be. */
export function mountTarget(value: unknown): string {
  if (isTree(value)) return String(value['target'])
  const parts = String(value).split(':')
  return (parts.length === 1 ? parts[0] : parts[1]) ?? ''
}

export function parseMounts(value: unknown, at: string): Mount[] {
  return listOf(value, at).map((mount) => parseMount(mount, at))
}
