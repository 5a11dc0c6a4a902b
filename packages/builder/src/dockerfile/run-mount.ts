/** `RUN --mount=type=cache,target=/root/.npm`: something that is there while a RUN runs, and not part of its layer. */

export interface RunMount {
  type: 'bind' | 'cache' | 'tmpfs' | 'secret' | 'ssh'
  target: string | undefined
  /** Path in `from`, or in the build context; the root if absent. */
  source: string | undefined
  /** Stage or image a bind or cache takes its content from. */
  from: string | undefined
  /** Of caches and secrets. */
  id: string | undefined
  readOnly: boolean
  required: boolean
  mode: number | undefined
  uid: number | undefined
  gid: number | undefined
  /** Bytes of a tmpfs. */
  size: string | undefined
  /** Secrets only: the name of an environment variable. */
  env: string | undefined
}

const types = ['bind', 'cache', 'tmpfs', 'secret', 'ssh'] as const
const aliases: Record<string, string> = {
  src: 'source',
  dst: 'target',
  destination: 'target',
  ro: 'readonly',
  rw: 'readwrite',
}
const knownOptions = new Set([
  'type',
  'target',
  'source',
  'from',
  'id',
  'readonly',
  'readwrite',
  'required',
  'mode',
  'uid',
  'gid',
  'size',
  'sharing',
  'env',
])

/** Throws Error with BuildKit's message. */
export function parseRunMount(text: string): RunMount {
  const fields = new Map<string, string>()
  for (const field of text.split(',')) {
    const equals = field.indexOf('=')
    const written = (equals < 0 ? field : field.slice(0, equals)).toLowerCase()
    const name = aliases[written] ?? written
    if (!knownOptions.has(name)) throw new Error(`unexpected key '${written}' in '${field}'`)
    if (equals < 0 && !['readonly', 'readwrite', 'required'].includes(name)) {
      throw new Error(`invalid field '${field}' must be a key=value pair`)
    }
    fields.set(name, equals < 0 ? 'true' : field.slice(equals + 1))
  }
  const type = types.find((known) => known === (fields.get('type') ?? 'bind'))
  if (type === undefined) throw new Error(`unsupported mount type ${JSON.stringify(fields.get('type'))}`)
  const target = fields.get('target')
  if (target === undefined && type !== 'secret' && type !== 'ssh')
    throw new Error(`target must be set for ${type} mount`)

  const writable = fields.get('readwrite') === 'true' || fields.get('readonly') === 'false'
  return {
    type,
    target,
    source: fields.get('source'),
    from: fields.get('from'),
    id: fields.get('id'),
    readOnly: type === 'bind' ? !writable : fields.get('readonly') === 'true',
    required: fields.get('required') === 'true',
    mode: numberOf(fields.get('mode'), 8),
    uid: numberOf(fields.get('uid'), 10),
    gid: numberOf(fields.get('gid'), 10),
    size: fields.get('size'),
    env: fields.get('env'),
  }
}

function numberOf(text: string | undefined, radix: number): number | undefined {
  if (text === undefined) return undefined
  if (!/^[0-9]+$/.test(text)) throw new Error(`invalid value ${text}: expected a number`)
  return Number.parseInt(text, radix)
}
