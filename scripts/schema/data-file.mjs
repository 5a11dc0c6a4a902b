/**
 * Joins the four sources of schema.mjs into the data file. Pure.
 *
 * Types are called by the last three parts of their published name: io.k8s.api.core.v1.PodSpec is core.v1.PodSpec. A
 * published schema without properties is a scalar to us (a Quantity, a Time) and is written in place of its name.
 */

/** Published schemas that are more than "an object" or "anything". */
const scalars = {
  'api.resource.Quantity': 'quantity',
  'util.intstr.IntOrString': 'intOrString',
  'meta.v1.Time': 'time',
  'meta.v1.MicroTime': 'microTime',
}
const allVerbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']

export function dataFile({ documents, discovery, messages, structs }) {
  const schemas = new Map(
    documents.flatMap(({ components }) =>
      Object.entries(components?.schemas ?? {}).map(([name, schema]) => [shortName(name), schema]),
    ),
  )
  const paths = new Set(documents.flatMap((document) => Object.keys(document.paths ?? {})))
  const sources = { schemas, messages, structs }
  const names = [...schemas.keys()].filter((name) => schemas.get(name).properties).toSorted(compare)
  const types = Object.fromEntries(names.map((name) => [name, typeEntry(name, sources)]))
  const typeOf = new Map(Object.entries(types).map(([name, { gvk }]) => [gvk, name]))
  const resources = discovery
    .toSorted((a, b) => compare(groupOf(a), groupOf(b)))
    .flatMap((list) => resourceEntries(list, typeOf, paths))
  return { types, resources }
}

/** One type and one resource a line, so that a diff shows what a release changed. */
export function renderDataFile({ types, resources }) {
  const typeLines = Object.entries(types).map(([name, entry]) => `${JSON.stringify(name)}: ${JSON.stringify(entry)}`)
  const resourceLines = resources.map((entry) => JSON.stringify(entry))
  return `{\n"types": {\n${typeLines.join(',\n')}\n},\n"resources": [\n${resourceLines.join(',\n')}\n]\n}\n`
}

function typeEntry(name, sources) {
  const schema = sources.schemas.get(name)
  const kinds = schema['x-kubernetes-group-version-kind'] ?? []
  const kind = kinds.find(({ group }) => group === '') ?? kinds[0]
  const union = schema['x-kubernetes-unions']?.[0]
  const fields = Object.keys(schema.properties)
    .filter((field) => !kind || (field !== 'apiVersion' && field !== 'kind'))
    .toSorted(compare)
  return {
    ...(kind ? { gvk: `${apiVersion(kind)} ${kind.kind}` } : {}),
    ...(schema['x-kubernetes-map-type'] === 'atomic' ? { atomic: 1 } : {}),
    ...(union ? { union: { by: union.discriminator, fields: union['fields-to-discriminateBy'] } } : {}),
    fields: Object.fromEntries(fields.map((field) => [field, fieldText(name, field, sources)])),
  }
}

function fieldText(typeName, name, sources) {
  const schema = sources.schemas.get(typeName)
  const property = schema.properties[name]
  const isRequired = schema.required?.includes(name) ?? false
  const type = typeText(property, sources.schemas)
  const found = findField(typeName, name, sources)
  const number = found && found.path.every(Boolean) ? found.path.join('.') : '-'
  // Go writes a struct even when it is empty, whatever its tag says: only scalars, lists and maps need to be marked.
  const isStruct = sources.schemas.has(type)
  const isAlways = found && !found.field.omitsEmpty && !found.field.isPointer && !isRequired && !isStruct
  return [
    number + (found?.field.isPointer && number !== '-' ? 'p' : ''),
    type + (isRequired ? '!' : ''),
    ...mergeWords(property),
    ...(isAlways ? ['always'] : []),
  ].join(' ')
}

/** The Go field that has this name in JSON, and its protobuf numbers through the structs that it is inlined from. */
function findField(structName, name, sources) {
  const message = sources.messages.get(structName)
  for (const field of sources.structs.get(structName) ?? []) {
    const number = message?.get(field.protobufName)
    if (field.name === name) return { field, path: [number] }
    if (field.name !== '') continue
    const inner = findField(field.type, name, sources)
    if (inner) return { field: inner.field, path: [number, ...inner.path] }
  }
  return undefined
}

function typeText(schema, schemas) {
  const reference = schema.$ref ?? schema.allOf?.[0]?.$ref
  if (reference) {
    const name = shortName(reference.split('/').at(-1))
    const target = schemas.get(name)
    if (!target) throw new Error(`no schema ${name}, which another one names`)
    if (target.properties) return name
    return scalars[name] ?? (target.type === 'object' ? 'object' : 'any')
  }
  switch (schema.type) {
    case 'array':
      return `[${typeText(schema.items, schemas)}]`
    case 'object':
      return schema.additionalProperties ? `{${typeText(schema.additionalProperties, schemas)}}` : 'object'
    case 'string':
      return schema.format === 'byte' ? 'bytes' : 'string'
    case 'integer':
      return schema.format ?? 'int64'
    case 'number':
      return 'double'
    case 'boolean':
      return 'bool'
    default:
      return 'any'
  }
}

function mergeWords(property) {
  const listType = property['x-kubernetes-list-type']
  const mergeKey = property['x-kubernetes-patch-merge-key']
  const strategies = property['x-kubernetes-patch-strategy']?.split(',') ?? []
  const words = []
  if (listType) words.push(listType === 'map' ? `map=${property['x-kubernetes-list-map-keys'].join(',')}` : listType)
  if (property['x-kubernetes-map-type']) words.push(property['x-kubernetes-map-type'])
  if (strategies.includes('merge')) words.push(mergeKey ? `merge=${mergeKey}` : 'merge')
  return [...words, ...['replace', 'retainKeys'].filter((word) => strategies.includes(word))]
}

function resourceEntries({ groupVersion, resources }, typeOf, paths) {
  const base = groupVersion.includes('/') ? `/apis/${groupVersion}` : `/api/${groupVersion}`
  return resources
    .filter(({ name }) => !name.includes('/'))
    .toSorted((a, b) => compare(a.name, b.name))
    .map(({ name: plural, kind, namespaced, shortNames, categories, verbs }) => {
      // The documents in api/discovery come from a server that leaves `watch` out; the paths of OpenAPI have it.
      const all = paths.has(`${base}/watch/${plural}`) ? [...new Set([...verbs, 'watch'])] : verbs
      const subresources = resources
        .filter(({ name }) => name.startsWith(`${plural}/`))
        .toSorted((a, b) => compare(a.name, b.name))
        .map((entry) => [entry.name.slice(plural.length + 1), subresourceText(entry, kind, groupVersion)])
      return {
        apiVersion: groupVersion,
        plural,
        kind,
        type: typeOf.get(`${groupVersion} ${kind}`),
        ...(namespaced ? { namespaced } : {}),
        ...(shortNames ? { shortNames } : {}),
        ...(categories ? { categories } : {}),
        ...(allVerbs.every((verb) => all.includes(verb)) ? {} : { verbs: all.toSorted(compare) }),
        ...(subresources.length > 0 ? { subresources: Object.fromEntries(subresources) } : {}),
      }
    })
}

function subresourceText({ group, version, kind, verbs }, ownKind, groupVersion) {
  const other = kind === ownKind ? [] : [version ? apiVersion({ group, version }) : groupVersion, kind]
  return [verbs.toSorted(compare).join(','), ...other].join(' ')
}

function shortName(published) {
  return published.split('.').slice(-3).join('.')
}

function apiVersion({ group, version }) {
  return group ? `${group}/${version}` : version
}

/** The core group first, as its empty name sorts. */
function groupOf({ groupVersion }) {
  return groupVersion.includes('/') ? groupVersion : ''
}

function compare(a, b) {
  return a < b ? -1 : Number(a > b)
}
