/**
 * Where objects lie in storage: /<group>/<plural>/[<namespace>/]<name>, with "core" for the group that has no name.
 */

export interface Location {
  group: string
  plural: string
}

export function objectKey(location: Location, namespace: string | undefined, name: string): string {
  return keyPrefix(location, namespace) + name
}

/** The start of the keys of all objects of a kind, or of those in one namespace. */
export function keyPrefix({ group, plural }: Location, namespace?: string): string {
  return `/${group || 'core'}/${plural}/${namespace ? `${namespace}/` : ''}`
}

/** What kind of object has this key. */
export function locationOf(key: string): Location {
  const [, group = '', plural = ''] = key.split('/')
  return { group: group === 'core' ? '' : group, plural }
}
