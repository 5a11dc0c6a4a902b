/**
 * Image references as pod specs write them: "nginx", "nginx:1.27", "ghcr.io/a/b@sha256:…", "localhost:5000/x".
 * Only what the kubelet needs of them: is it one at all, and which tag does it mean. Follows distribution/reference.
 */

export interface ImageReference {
  /** Everything before the tag or digest, as written. */
  name: string
  tag?: string
  digest?: string
}

const component = '[a-z0-9]+(?:(?:[._]|__|[-]+)[a-z0-9]+)*'
const host =
  '(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?'
const pattern = new RegExp(
  `^(?<name>(?:${host}/)?${component}(?:/${component})*)(?::(?<tag>[\\w][\\w.-]{0,127}))?(?:@(?<digest>[A-Za-z][A-Za-z0-9]*:[0-9a-fA-F]{32,}))?$`,
)

/** undefined when the text is no valid reference. Without tag and digest the tag is "latest". */
export function parseImageReference(text: string): ImageReference | undefined {
  const groups = pattern.exec(text)?.groups
  if (!groups?.name) return undefined
  const { name, tag, digest } = groups
  if (digest) return { name, digest, ...(tag ? { tag } : {}) }
  return { name, tag: tag ?? 'latest' }
}
