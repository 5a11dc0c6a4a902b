/**
 * Reads the structs of a Go package of API types: what their field tags say, by struct. Not a Go parser: API types are
 * gofmt'ed, have one field a line, and each field that is served has a `json` tag.
 */

/**
 * Entries [struct, fields]; structs are named as in the data file, "core.v1.PodSpec". A field is
 * { name: in JSON, '' if inlined, protobufName, isPointer, isStruct: the inlined struct's name, omitsEmpty }.
 */
export function goStructs(text, folder) {
  const own = folder.split(/[\\/]/).slice(-2).join('.')
  const imports = new Map(
    [...text.matchAll(/^(?:import|\t)\s*(\w+)? ?"(k8s\.io\/[^"]+)"/gm)].map(([, alias, path]) => {
      const parts = path.split('/')
      return [alias ?? parts.at(-1), parts.slice(-2).join('.')]
    }),
  )
  const qualified = (type) => {
    const [first, second] = type.split('.')
    return second === undefined ? `${own}.${first}` : `${imports.get(first) ?? first}.${second}`
  }
  return [...text.matchAll(/^type (\w+) struct \{\n([\s\S]*?)^\}/gm)].map(([, name, body]) => [
    `${own}.${name}`,
    [...body.matchAll(/^\t(?:(\w+)\s+)?(\*?)([\w.[\]*]+)\s+`([^`]*)`/gm)].flatMap((match) => {
      const [, fieldName, pointer, type, tags] = match
      const [jsonName = '', ...jsonOptions] = (/json:"([^"]*)"/.exec(tags)?.[1] ?? '-').split(',')
      if (jsonName === '-') return []
      const goName = fieldName ?? type.split('.').at(-1)
      return {
        name: jsonName,
        protobufName: /protobuf:"[^"]*name=(\w+)/.exec(tags)?.[1] ?? goName[0].toLowerCase() + goName.slice(1),
        type: qualified(type),
        isPointer: pointer === '*',
        omitsEmpty: jsonOptions.includes('omitempty'),
      }
    }),
  ])
}
