/**
 * Keys: how work queues and listers name an object of a known kind: "namespace/name", or "name" for
 * cluster-scoped kinds. Neither part may hold a slash, so the two forms cannot be confused.
 */

export function keyOf(object: { metadata: { namespace?: string; name: string } }): string {
  return makeKey(object.metadata.namespace, object.metadata.name)
}

export function makeKey(namespace: string | undefined, name: string): string {
  return namespace === undefined || namespace === '' ? name : `${namespace}/${name}`
}

export function splitKey(key: string): { namespace?: string; name: string } {
  const slash = key.indexOf('/')
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}
