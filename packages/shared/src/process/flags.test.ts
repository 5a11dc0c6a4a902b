import { describe, expect, test } from 'vitest'
import { helpText, parseFlags, type FlagSpec } from './flags.ts'

const spec = {
  server: { type: 'string', default: 'http://localhost', help: 'where the server is' },
  'node-name': { type: 'string', required: true, help: 'the node' },
  'grace-period': { type: 'duration', default: '8s', help: 'how long' },
  workers: { type: 'number', help: 'how many' },
  verbose: { type: 'boolean', help: 'say more' },
  driver: { type: 'string', oneOf: ['auto', 'linux'], help: 'which' },
  zone: { type: 'list', help: 'where' },
} as const satisfies FlagSpec

function parse(...argv: string[]) {
  return parseFlags(spec, ['--node-name', 'n', ...argv])
}

test('defaults', () => {
  const flags = parse()
  // The types are part of the contract: gracePeriod is a number, workers may be absent.
  const gracePeriodMs: number = flags.gracePeriod
  const workers: number | undefined = flags.workers
  expect({ ...flags, gracePeriodMs, workers }).toEqual({
    server: 'http://localhost',
    nodeName: 'n',
    gracePeriod: 8000,
    gracePeriodMs: 8000,
    workers: undefined,
    verbose: false,
    driver: undefined,
    zone: [],
  })
})

test('values, written either way; the last one counts, lists add up', () => {
  const flags = parse(
    '--server=a=b',
    '--workers',
    '3',
    '--verbose',
    '--grace-period',
    '1m',
    '--zone',
    'a,b',
    '--zone=c',
    '--workers=4',
  )
  expect(flags).toMatchObject({ server: 'a=b', workers: 4, verbose: true, gracePeriod: 60_000, zone: ['a', 'b', 'c'] })
  expect(parse('--verbose=false').verbose).toBe(false)
})

describe('what is refused', () => {
  test.each([
    [['--nope'], 'unknown flag: --nope'],
    [['extra'], 'unexpected argument: extra'],
    [['--workers'], 'flag needs an argument: --workers'],
    [['--workers', 'many'], 'invalid argument "many" for "--workers": not a number'],
    [['--grace-period', '8'], 'not a duration'],
    [['--verbose=perhaps'], 'not true or false'],
    [['--driver', 'magic'], 'must be one of auto, linux'],
    [['--__proto__', 'x'], 'unknown flag: --__proto__'],
  ])('%j', (argv, message) => expect(() => parse(...argv)).toThrow(message))

  test('a required flag that is missing', () => {
    expect(() => parseFlags(spec, [])).toThrow('required flag not set: --node-name')
  })
})

test('help lists every flag once, aligned, with its default', () => {
  const text = helpText('thing', spec)
  expect(text).toMatch(/^Usage: thing \[flags\]\n/)
  expect(text).toContain('--server string           where the server is (default http://localhost)\n')
  expect(text).toContain('--node-name string        the node (required)\n')
  expect(text).toContain('--verbose                 say more\n')
  expect(text).toContain('which (one of auto, linux)')
})
