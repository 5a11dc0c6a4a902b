/**
 * `ps --format '{{.Name}}\t{{.Status}}'`: as much of Go's templates as such formats use. Pure.
 *
 * Fields (`.Name`, `.Labels` is a text as in upstream), `json` of a field or of everything (`.`), and the text
 * functions `lower`, `upper` and `title`. Anything else of the language is refused rather than printed as it stands.
 */

import { UsageError } from '@dinghy/clients/command-line/command'

const functions: Record<string, (value: unknown) => string> = {
  json: (value) => JSON.stringify(value),
  lower: (value) => textOf(value).toLowerCase(),
  upper: (value) => textOf(value).toUpperCase(),
  title: (value) => textOf(value).replaceAll(/(?<!\S)\S/g, (letter) => letter.toUpperCase()),
}

/** The template's pieces, read once; the result renders one row. Throws UsageError for what it cannot read. */
export function parseTemplate(template: string): (row: Record<string, unknown>) => string {
  const pieces = template.split(/(\{\{.*?\}\})/s).map((piece): ((row: Record<string, unknown>) => string) => {
    const action = /^\{\{-?\s*(.*?)\s*-?\}\}$/s.exec(piece)?.[1]
    if (action !== undefined) return parseAction(action)
    if (piece.includes('{{')) throw new UsageError(`--format: unclosed action in ${JSON.stringify(template)}`)
    // A shell hands on the two characters, as people write them.
    const text = piece.replaceAll(String.raw`\t`, '\t').replaceAll(String.raw`\n`, '\n')
    return () => text
  })
  return (row) => pieces.map((render) => render(row)).join('')
}

function parseAction(action: string): (row: Record<string, unknown>) => string {
  const [, name, path] = /^(?:(\w+)\s+)?(\.\w*)$/.exec(action) ?? []
  const apply = name === undefined ? textOf : Object.hasOwn(functions, name) ? functions[name] : undefined
  if (path === undefined || apply === undefined)
    throw new UsageError(`--format: {{${action}}} is not supported; use {{.Field}}, {{json .}} or {{json .Field}}`)
  const field = path.slice(1)
  return (row) => {
    if (field === '') return apply(row)
    if (!Object.hasOwn(row, field))
      throw new UsageError(`--format: there is no field .${field}; there are ${Object.keys(row).join(', ')}`)
    return apply(row[field])
  }
}

function textOf(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
