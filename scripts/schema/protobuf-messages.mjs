/**
 * Reads a generated.proto: the fields and their numbers, by message. Names are "<group>.<version>.<Message>", from the
 * last two parts of the file's package, as everywhere in the data file. These files are made by go-to-protobuf and hold
 * messages and fields only: one field a line, no nesting, no enumerations.
 */

/** Entries [message, Map of protobuf field name to number]. */
export function protobufMessages(text) {
  const packageName = /^package ([\w.]+);/m.exec(text)?.[1] ?? ''
  const prefix = packageName.split('.').slice(-2).join('.')
  return [...text.matchAll(/^message (\w+) \{\n([\s\S]*?)^\}/gm)].map(([, name, body]) => [
    `${prefix}.${name}`,
    new Map(
      [...body.matchAll(/^ {2}(?!\/\/)\S.* (\w+) = (\d+);/gm)].map(([, field, number]) => [field, Number(number)]),
    ),
  ])
}
