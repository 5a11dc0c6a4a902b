/**
 * Turns a request body – JSON, YAML or protobuf – into an object of the expected kind.
 *
 * Callers may rely on: the object conforms to its type (conform.ts), carries apiVersion and kind, and every complaint
 * is a StatusError 400 with the words of a real API server (415 for a media type nobody speaks). Unknown and repeated
 * fields are errors, warnings or silence, as the client's ?fieldValidation= asks; Kubernetes' default is Warn.
 *
 * The one body it does not accept is one whose kind differs from the URL's; a body without apiVersion and kind takes
 * them from the URL, as upstream's typed decoders do.
 */

import { ownValue } from '@dinghy/shared/api/own-value'
import { createRequire } from 'node:module'
import type * as Yaml from 'yaml'
import { badRequest, invalid, unsupportedMediaType, type StatusError } from '@dinghy/shared/api/errors'
import * as fieldErrors from '@dinghy/shared/api/field-errors'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import { type ConformTarget, conformTo } from '../registry/resources.ts'
import { ShapeError } from '../shape/conform.ts'
import { isObject, maxDepth, requireShallow, tooDeep } from '../shape/json.ts'
import { duplicateFields } from './duplicate-fields.ts'
import { decodeEnvelope, decodeMessage } from './protobuf.ts'

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore'

/** What the body must be; a ResourceDefinition is one. */
export interface DecodeTarget extends ConformTarget {
  group: string
  version: string
  kind: string
  /** DeleteOptions and the like come with the apiVersion of whatever they are sent to. */
  anyVersion?: boolean
}

export interface Decoded {
  object: KubernetesObject
  warnings: string[]
}

const acceptedMediaTypes = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf']

export function decodeBody(
  body: Buffer,
  contentType: string | undefined,
  target: DecodeTarget,
  options: { fieldValidation: FieldValidation },
): Decoded {
  const mediaType = contentType?.split(';')[0]?.trim().toLowerCase() || 'application/json'
  const parse = ownValue(parsers, mediaType)
  if (!parse) throw unsupportedMediaType(acceptedMediaTypes)
  const parsed = parse(body, target)
  return finish(parsed, target, options.fieldValidation, (message) => {
    return badRequest(`${handled(withDefaults(parsed, target), target)}: ${message}`)
  })
}

/** The same for an object that a patch made; upstream blames the patch for what is wrong with it, with 422. */
export function decodeObject(value: unknown, target: DecodeTarget, fieldValidation: FieldValidation): Decoded {
  const parsed = { ...versionAndKind(value), value, problems: [] }
  return finish(parsed, target, fieldValidation, (message) => {
    return invalid('', '', '', [fieldErrors.invalid('patch', JSON.stringify(value), message)])
  })
}

interface Parsed {
  apiVersion: string
  kind: string
  value: unknown
  /** Repeated keys; unknown fields are found later. */
  problems: string[]
}

const parsers: Record<string, (body: Buffer, target: DecodeTarget) => Parsed> = {
  'application/json': parseJson,
  'application/yaml': parseYaml,
  'application/vnd.kubernetes.protobuf': parseProtobuf,
}

function parseJson(body: Buffer, target: DecodeTarget): Parsed {
  const text = body.toString()
  let value: unknown
  try {
    value = JSON.parse(text)
    requireShallow(value)
  } catch (error) {
    throw unrecognized(body, target, `couldn't get version/kind; json parse error: ${goSyntaxError(error, text)}`)
  }
  return { ...recognize(value, body, target), value, problems: duplicateFields(text) }
}

function parseYaml(body: Buffer, target: DecodeTarget): Parsed {
  try {
    const text = body.toString()
    requireShallowYaml(text)
    const parsed = readYaml(text)
    requireShallow(parsed.value)
    return { ...recognize(parsed.value, body, target), ...parsed }
  } catch (error) {
    // So the library complains of aliases that multiply.
    if (error instanceof ReferenceError) {
      throw unrecognized(body, target, 'yaml: document contains excessive aliasing')
    }
    if (error instanceof SyntaxError) throw unrecognized(body, target, `yaml: ${error.message}`)
    throw error
  }
}

/**
 * The library makes values by recursion, and V8 ends the process if a regular expression is met for the first time
 * where the stack is nearly used up. Its parser keeps a stack of its own, which can be watched.
 */
function requireShallowYaml(text: string): void {
  const { Lexer, Parser } = createRequire(import.meta.url)('yaml') as typeof Yaml
  const parser = new Parser()
  for (const lexeme of new Lexer().lex(text)) {
    // To ask for its tokens, of which there are few, is what makes it read on.
    Array.from(parser.next(lexeme))
    if (parser.stack.length > maxDepth) throw new SyntaxError(tooDeep)
  }
}

function readYaml(text: string): Pick<Parsed, 'value' | 'problems'> {
  // Loading the library takes longer than starting the rest of this process; almost nobody sends YAML.
  const { parseDocument, LineCounter, visit, isScalar } = createRequire(import.meta.url)('yaml') as typeof Yaml
  const lines = new LineCounter()
  const document = parseDocument(text, {
    // As Go's YAML: yes, no, on and off are booleans, 0777 is octal; but there are no dates and no base-60 numbers.
    version: '1.1',
    merge: true,
    uniqueKeys: false,
    lineCounter: lines,
    customTags: (tags) =>
      tags.filter(
        (tag) =>
          typeof tag === 'string' ||
          (tag.tag !== 'tag:yaml.org,2002:timestamp' && !('format' in tag && tag.format === 'TIME')),
      ),
  })
  const [syntax] = document.errors
  if (syntax) throw new SyntaxError(syntax.message.split('\n')[0])
  const problems: string[] = []
  visit(document, {
    Map(_, map) {
      const seen = new Set<unknown>()
      for (const { key } of map.items) {
        if (!isScalar(key)) continue
        if (seen.has(key.value)) {
          const line = lines.linePos(key.range?.[0] ?? 0).line
          problems.push(`yaml: unmarshal errors:\n  line ${line}: key ${JSON.stringify(key.value)} already set in map`)
        }
        seen.add(key.value)
      }
    },
  })
  return { value: document.toJS() as unknown, problems }
}

function parseProtobuf(body: Buffer, target: DecodeTarget): Parsed {
  try {
    const { apiVersion, kind, raw } = decodeEnvelope(body)
    const type = target.anyVersion ? target.type : (target.types.typeOfKind(apiVersion, kind)?.name ?? target.type)
    return { apiVersion, kind, value: decodeMessage(raw, type, target.types), problems: [] }
  } catch (error) {
    if (error instanceof ShapeError || error instanceof SyntaxError) throw unrecognized(body, target, error.message)
    throw error
  }
}

function finish(
  parsed: Parsed,
  target: DecodeTarget,
  validation: FieldValidation,
  refuse: (message: string) => StatusError,
): Decoded {
  const mismatch = mismatchMessage(parsed, target)
  if (mismatch !== undefined) throw badRequest(mismatch)
  try {
    const { object, unknownFields } = conformTo(target, parsed.value)
    const problems = validation === 'Ignore' ? [] : [...parsed.problems, ...unknownFields]
    if (validation === 'Strict' && problems.length > 0) {
      throw refuse(`strict decoding error: ${problems.join(', ')}`)
    }
    const typeMeta = withDefaults(parsed, target)
    const whole = Object.assign({ ...typeMeta, metadata: {} }, object, typeMeta)
    return { object: whole as unknown as KubernetesObject, warnings: problems }
  } catch (error) {
    throw error instanceof ShapeError ? refuse(error.message) : error
  }
}

function withDefaults({ apiVersion, kind }: Parsed, target: DecodeTarget): { apiVersion: string; kind: string } {
  return { apiVersion: apiVersion || groupVersion(target), kind: kind || target.kind }
}

/** Why this body is not of the target's kind; undefined if it is. */
function mismatchMessage({ apiVersion, kind }: Parsed, target: DecodeTarget): string | undefined {
  const expected = groupVersion(target)
  if ((kind === '' || kind === target.kind) && (apiVersion === '' || apiVersion === expected || target.anyVersion)) {
    return undefined
  }
  const actual = { apiVersion: apiVersion || expected, kind: kind || target.kind }
  const known = target.types.typeOfKind(actual.apiVersion, actual.kind)
  if (!known) {
    const where = `${JSON.stringify(actual.apiVersion)} in scheme "pkg/api/legacyscheme/scheme.go:30"`
    return `${handled(actual, target)}: no kind ${JSON.stringify(actual.kind)} is registered for version ${where}`
  }
  if (actual.kind !== target.kind) {
    const goType = known.name.split('.').slice(-2).join('.')
    const internal = `${target.type.split('.')[0]}.${target.kind}`
    return `${handled(actual, target)}: converting (${goType}) to (${internal}): unknown conversion`
  }
  return `the API version in the data (${actual.apiVersion}) does not match the expected API version (${expected})`
}

function handled(actual: { apiVersion: string; kind: string }, target: DecodeTarget): string {
  const version = actual.apiVersion.split('/').pop() ?? ''
  return `${actual.kind} in version ${JSON.stringify(version)} cannot be handled as a ${target.kind}`
}

function groupVersion({ group, version }: DecodeTarget): string {
  return group === '' ? version : `${group}/${version}`
}

function recognize(value: unknown, body: Buffer, target: DecodeTarget): { apiVersion: string; kind: string } {
  if (isObject(value)) {
    for (const field of ['apiVersion', 'kind']) {
      const text = value[field]
      if (text === undefined || text === null || typeof text === 'string') continue
      const message = `cannot unmarshal ${Array.isArray(text) ? 'array' : typeof text} into Go struct field .${field} of type string`
      throw unrecognized(body, target, `couldn't get version/kind; json parse error: json: ${message}`)
    }
    return versionAndKind(value)
  }
  const found = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value
  const message = `json: cannot unmarshal ${found} into Go value of type ${target.version}.${target.kind}`
  throw unrecognized(body, target, `couldn't get version/kind; json parse error: ${message}`)
}

function versionAndKind(value: unknown): { apiVersion: string; kind: string } {
  const { apiVersion, kind } = isObject(value) ? value : {}
  return {
    apiVersion: typeof apiVersion === 'string' ? apiVersion : '',
    kind: typeof kind === 'string' ? kind : '',
  }
}

function unrecognized(body: Buffer, target: DecodeTarget, message: string) {
  const what = `the object provided is unrecognized (must be of type ${target.kind})`
  return badRequest(`${what}: ${message} (${summarize(body)})`)
}

/** The first 30 bytes: as text if it looks like JSON, else in hex. */
function summarize(body: Buffer): string {
  if (body.length === 0) return '<empty>'
  const head = body.subarray(0, 30)
  return head.toString(body[0] === 0x7b ? 'utf8' : 'hex') + (body.length > 30 ? ' ...' : '')
}

function goSyntaxError(error: unknown, text: string): string {
  const message = error instanceof Error ? error.message : String(error)
  if (text.trim() === '' || message.startsWith('Unexpected end')) return 'unexpected end of JSON input'
  const token = /^Unexpected token '?(.)/u.exec(message)?.[1]
  return token === undefined ? message : `invalid character '${token}' looking for beginning of value`
}
