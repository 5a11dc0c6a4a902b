/**
 * JSON patch (RFC 6902): a list of add, remove, replace, move, copy and test operations, all or none.
 *
 * A malformed patch is 400; one that does not apply – a failed test, a missing path – is 422. Upstream does not tell
 * why; here the reason stands in details.causes, because a patch that "was rejected due to an error" teaches nobody
 * anything.
 */

import { isDeepStrictEqual } from 'node:util'
import { badRequest, requestEntityTooLarge, StatusError } from '@dinghy/shared/api/errors'
import { isObject, setOwn } from '../shape/json.ts'

/** Upstream's limits: a patch can otherwise make an object grow exponentially by copying it into itself. */
const maxOperations = 10_000
const maxCopiedBytes = 3 * 1024 * 1024

/** Does not change the original. */
export function applyJsonPatch(original: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) {
    throw badRequest('error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch')
  }
  if (patch.length > maxOperations) {
    const message = `The allowed maximum operations in a JSON patch is ${maxOperations}, got ${patch.length}`
    throw requestEntityTooLarge(message)
  }
  // Operations work on a document below a root that is ours, so that replacing the whole document is no special case.
  const root = { document: structuredClone(original) }
  const copied = { bytes: 0 }
  for (const operation of patch) apply(root, operation, copied)
  return root.document
}

function apply(root: object, operation: unknown, copied: { bytes: number }): void {
  if (!isObject(operation)) throw badRequest('error decoding patch: an operation must be an object')
  const { op, value } = operation
  const path = pointer(operation['path'])
  switch (op) {
    case 'add':
      return add(root, path, required(value, operation))
    case 'remove':
      return void remove(root, path)
    case 'replace':
      remove(root, path)
      return add(root, path, required(value, operation))
    case 'move': {
      const from = pointer(operation['from'])
      if (from.every((token, i) => token === path[i]) && path.length > from.length) {
        throw rejected('a value cannot be moved into itself')
      }
      return add(root, path, remove(root, from))
    }
    case 'copy': {
      const text = JSON.stringify(get(root, pointer(operation['from'])))
      copied.bytes += text.length
      if (copied.bytes > maxCopiedBytes) {
        const sizes = `the accumulated size increase of copy is ${copied.bytes}, exceeding the limit ${maxCopiedBytes}`
        throw rejected(`Unable to complete the copy, ${sizes}`)
      }
      return add(root, path, JSON.parse(text))
    }
    case 'test':
      if (!isDeepStrictEqual(get(root, path), required(value, operation))) {
        throw rejected(`testing value ${String(operation['path'])} failed`)
      }
      return
    default:
      throw rejected(`unexpected kind: ${JSON.stringify(op)}`)
  }
}

function required(value: unknown, operation: object): unknown {
  if (value === undefined) throw rejected(`operation ${JSON.stringify(operation)} has no value`)
  return value
}

function add(root: object, path: string[], value: unknown): void {
  const { parent, key } = locate(root, path)
  if (!Array.isArray(parent)) return setOwn(parent, key, value)
  parent.splice(key === '-' ? parent.length : indexIn(parent, key, parent.length), 0, value)
}

function remove(root: object, path: string[]): unknown {
  const { parent, key } = locate(root, path)
  const value = childOf(parent, key)
  if (Array.isArray(parent)) parent.splice(Number(key), 1)
  else delete parent[key]
  return value
}

function get(root: object, path: string[]): unknown {
  const { parent, key } = locate(root, path)
  return childOf(parent, key)
}

/** The container that the last token of the path stands in. */
function locate(root: object, path: string[]): { parent: Record<string, unknown> | unknown[]; key: string } {
  const parent = path.slice(0, -1).reduce<unknown>(childOf, root)
  if (!isObject(parent) && !Array.isArray(parent)) throw rejected(`doc is missing path: /${path.slice(1).join('/')}`)
  return { parent, key: path.at(-1) ?? '' }
}

function childOf(parent: unknown, key: string): unknown {
  if (Array.isArray(parent)) return parent[indexIn(parent, key, parent.length - 1)] as unknown
  if (isObject(parent) && Object.hasOwn(parent, key)) return parent[key]
  throw rejected(`doc is missing key: ${key}`)
}

function indexIn(list: unknown[], key: string, max: number): number {
  const index = /^(0|[1-9]\d*)$/.test(key) ? Number(key) : -1
  if (index < 0 || index > max) throw rejected(`index ${key} is out of bounds of a list of ${list.length}`)
  return index
}

/** RFC 6901: "/a~1b/0" names key "a/b", then its first item. */
function pointer(path: unknown): string[] {
  if (typeof path !== 'string' || (path !== '' && !path.startsWith('/'))) {
    throw rejected(`${JSON.stringify(path)} is no JSON pointer`)
  }
  const tokens = path.split('/').map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
  return ['document', ...tokens.slice(1)]
}

function rejected(reason: string): StatusError {
  return new StatusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: 'the server rejected our request due to an error in our request',
    reason: 'Invalid',
    details: { causes: [{ reason: 'UnexpectedServerResponse', message: reason }] },
    code: 422,
  })
}
