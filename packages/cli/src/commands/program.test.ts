import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { run } from '../testing/captured-output.ts'
import { scriptFor, wordsOf } from './completion.ts'
import { oneLine, programFor } from './program.ts'

test('every command says what it does, and shows an example and its flags', async () => {
  const program = await programFor('all')
  expect(program.commands.length).toBeGreaterThan(15)
  for (const command of program.commands) {
    const help = await run(command.name(), '--help')
    expect(help, command.name()).toMatchObject({ code: 0, stderr: '' })
    expect(help.stdout, command.name()).toContain(`Usage: dinghy ${command.name()}`)
    expect(help.stdout, command.name()).toMatch(/Examples?:\n {2}\$ /)
    expect(command.summary().length, command.name()).toBeGreaterThan(10)
    expect(command.description().length, command.name()).toBeGreaterThan(10)
    for (const option of command.options) expect(option.description, `${command.name()} ${option.flags}`).not.toBe('')
  }
})

test.each([['up'], ['down'], ['status'], ['why'], ['logs'], ['kubectl'], ['docker'], ['compose']])(
  '%s takes --cluster and --state-dir',
  async (name) => {
    const { stdout } = await run(name, '--help')
    expect(stdout).toContain('--cluster <name>')
    expect(stdout).toContain('--state-dir <dir>')
  },
)

test.each([
  [['--help'], 0, 'stdout', 'Usage: dinghy [options] [command]'],
  [['help', 'up'], 0, 'stdout', 'Usage: dinghy up'],
  [['--version'], 0, 'stdout', /^\d+\.\d+\.\d+\n$/],
  [[], 2, 'stderr', 'Usage: dinghy'],
  [['stauts'], 2, 'stderr', "dinghy: unknown command 'stauts' (Did you mean status?)\n"],
  [['up', '--noes', '2'], 2, 'stderr', "dinghy: unknown option '--noes' (Did you mean --nodes?)\n"],
  [['up', 'x'], 2, 'stderr', '--help shows what there is\n'],
  [['docker', 'rum'], 2, 'stderr', 'Did you mean'],
  [['docker', 'run', '--help'], 0, 'stdout', 'Usage: dinghy docker run [options] IMAGE [COMMAND…]'],
  [['kubectl', 'get', '--help'], 0, 'stdout', '--field-selector <selector>'],
  [['compose', 'up', '--help'], 0, 'stdout', '--no-deps'],
] as const)('%j ends with %i and tells on %s', async (words, code, stream, text) => {
  const ran = await run(...words)
  expect(ran.code).toBe(code)
  if (typeof text === 'string') expect(ran[stream]).toContain(text)
  else expect(ran[stream]).toMatch(text)
})

test('an error is one line that says what to do next', () => {
  expect(oneLine("error: unknown option '--x'\n(Did you mean --y?)\n")).toBe(
    "dinghy: unknown option '--x' (Did you mean --y?)\n",
  )
  expect(oneLine("error: missing required argument 'name'\n")).toBe(
    "dinghy: missing required argument 'name'; --help shows what there is\n",
  )
})

test('completion knows every command and flag', async () => {
  const next = wordsOf(await programFor('all'))
  const textsOf = (path: string) => next.get(path)?.map(({ text }) => text)
  expect(textsOf('')).toEqual(expect.arrayContaining(['up', 'compose', '--version']))
  expect(textsOf('node')).toEqual(expect.arrayContaining(['stop', 'start']))
  expect(textsOf('node stop')).toEqual(expect.arrayContaining(['--cluster']))
  expect(textsOf('compose up')).toEqual(expect.arrayContaining(['--no-deps', '-d']))
  for (const shell of ['zsh', 'fish'] as const) expect(scriptFor(shell, next)).toContain('--no-deps')
  expect((await run('completion', 'bash')).stdout).toContain('complete -F _dinghy dinghy')
  expect(await run('completion', 'tcsh')).toMatchObject({ code: 2 })
})

test('what bash makes of the script', async () => {
  const script = scriptFor('bash', wordsOf(await programFor('all')))
  const complete = (...words: string[]) => {
    const typed = `COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}`
    return execFileSync('bash', ['-c', `${script}\n${typed}; _dinghy; echo "\${COMPREPLY[@]}"`], {
      encoding: 'utf8',
    }).trim()
  }
  expect(complete('dinghy', 'sta')).toBe('status')
  expect(complete('dinghy', 'node', 'st')).toBe('stop start')
  expect(complete('dinghy', 'up', '--no')).toBe('--nodes')
  expect(complete('dinghy', 'kubectl', 'get', '--no-')).toBe('--no-headers')
})
