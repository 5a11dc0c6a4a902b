import { describe, expect, test } from 'vitest'
import { parseCommands, parseDockerfile } from './parse.ts'

function commands(text: string) {
  return parseDockerfile(`FROM scratch\n${text}`).stages[0]?.commands ?? []
}
function only(text: string) {
  return commands(text)[0]
}

describe('lines', () => {
  test('continuations, comments and empty lines between them make one instruction', () => {
    const [run] = commands('RUN a \\\n  # comment\n\n  && b \\\n  c\nCMD ["x"]')
    expect(run).toMatchObject({ kind: 'RUN', args: ['a   && b   c'], isShell: true, line: 2 })
    expect(commands('RUN a \\\n  # comment\n  && b\nCMD x')[1]).toMatchObject({ kind: 'CMD', line: 5 })
  })

  test('empty continuation lines are warned about', () => {
    expect(parseDockerfile('FROM x\nRUN a \\\n\n b').warnings[0]).toContain('Empty continuation line')
    expect(parseDockerfile('FROM x\nRUN a \\\n b').warnings).toEqual([])
  })

  test('the escape directive changes what continues a line', () => {
    const file = parseDockerfile('# escape=`\nFROM scratch\nRUN dir `\n c:\\\nCMD x')
    expect(file.escape).toBe('`')
    expect(file.stages[0]?.commands).toMatchObject([{ args: ['dir  c:\\'] }, { kind: 'CMD' }])
  })

  test('a directive after a comment is a comment, CRLF and a byte order mark are fine', () => {
    expect(parseDockerfile('# hello\n# escape=`\nFROM x').escape).toBe('\\')
    expect(
      parseDockerfile('\uFEFF# syntax=docker/dockerfile:1\r\nFROM x\r\nRUN a\\\r\n b\r\n').stages[0]?.commands,
    ).toMatchObject([{ args: ['a b'] }])
  })

  test('heredocs take their lines with them', () => {
    const [run, copy, cmd] = commands(
      'RUN <<EOF cat\nline $A\nEOF\nCOPY <<-"ONE" <<two /dest/\n\tfirst\n\tONE\nsecond\ntwo\nCMD x',
    )
    expect(run).toMatchObject({ args: ['<<EOF cat'], heredocs: [{ name: 'EOF', content: 'line $A\n', expand: true }] })
    expect(copy).toMatchObject({
      sources: [],
      destination: '/dest/',
      heredocs: [
        { name: 'ONE', content: '\tfirst\n', expand: false, stripTabs: true },
        { name: 'two', content: 'second\n', expand: true, stripTabs: false },
      ],
    })
    expect(cmd).toMatchObject({ kind: 'CMD' })
  })

  test('a shift operator is no heredoc', () => {
    expect(only('RUN echo $((1 << 2)) "<<EOF"')).toMatchObject({ heredocs: [] })
  })
})

describe('instructions', () => {
  test.each<[string, object]>([
    ['RUN echo hi', { kind: 'RUN', args: ['echo hi'], isShell: true }],
    ['run ["echo", "hi"]', { kind: 'RUN', args: ['echo', 'hi'], isShell: false }],
    ['RUN [ -f x ] && y', { args: ['[ -f x ] && y'], isShell: true }],
    [
      'RUN --mount=type=cache,target=/c --mount=type=bind,from=b,source=x,dst=/y npm ci',
      {
        args: ['npm ci'],
        mounts: [
          { type: 'cache', target: '/c' },
          { type: 'bind', from: 'b', target: '/y', readOnly: true },
        ],
      },
    ],
    ['RUN --network=none x', { network: 'none' }],
    ['RUN --network=host x', { network: 'default' }],
    ['COPY a b /dest/', { kind: 'COPY', sources: ['a', 'b'], destination: '/dest/' }],
    [
      'COPY --from=build --chown=1:2 --chmod=755 --link /a /b',
      { from: 'build', chown: '1:2', chmod: '755', link: true },
    ],
    ['COPY ["a b", "/c d/"]', { sources: ['a b'], destination: '/c d/' }],
    ['ADD --checksum=sha256:1 http://x/y /z', { kind: 'ADD', checksum: 'sha256:1', sources: ['http://x/y'] }],
    [
      'ENV A=1 B="two words" C=a\\ b',
      {
        pairs: [
          ['A', '1'],
          ['B', '"two words"'],
          ['C', 'a\\ b'],
        ],
      },
    ],
    ['ENV A one two', { pairs: [['A', 'one two']] }],
    [
      'LABEL a=b "c d"=e',
      {
        pairs: [
          ['a', 'b'],
          ['"c d"', 'e'],
        ],
      },
    ],
    [
      'ARG A B=1',
      {
        args: [
          { name: 'A', value: undefined },
          { name: 'B', value: '1' },
        ],
      },
    ],
    ['EXPOSE 443 80/udp', { ports: ['443', '80/udp'] }],
    ['VOLUME ["/a", "/b"]', { paths: ['/a', '/b'] }],
    ['VOLUME /a /b', { paths: ['/a', '/b'] }],
    ['CMD ["node", "x.js"]', { kind: 'CMD', args: ['node', 'x.js'], isShell: false }],
    ['CMD []', { args: [], isShell: false }],
    ['ENTRYPOINT top -b', { kind: 'ENTRYPOINT', args: ['top -b'], isShell: true }],
    ['SHELL ["/bin/bash", "-c"]', { shell: ['/bin/bash', '-c'] }],
    ['HEALTHCHECK NONE', { healthcheck: { Test: ['NONE'] } }],
    [
      'HEALTHCHECK --interval=1m30s --timeout=500ms --retries=3 CMD curl -f localhost',
      { healthcheck: { Test: ['CMD-SHELL', 'curl -f localhost'], Interval: 90e9, Timeout: 5e8, Retries: 3 } },
    ],
    ['HEALTHCHECK CMD ["a", "b"]', { healthcheck: { Test: ['CMD', 'a', 'b'] } }],
    ['ONBUILD RUN make', { trigger: 'RUN make' }],
    ['WORKDIR /a b', { path: '/a b' }],
    ['USER me', { user: 'me' }],
    ['STOPSIGNAL SIGQUIT', { signal: 'SIGQUIT' }],
    ['MAINTAINER me <me@x>', { maintainer: 'me <me@x>' }],
  ])('%s', (text, expected) => expect(only(text)).toMatchObject(expected))

  test('FROM names a stage and a platform', () => {
    const { metaArgs, stages } = parseDockerfile('ARG V=1\nFROM --platform=$BUILDPLATFORM a:$V as Build\nFROM build')
    expect(metaArgs).toMatchObject([{ args: [{ name: 'V', value: '1' }] }])
    expect(stages.map(({ from }) => from)).toMatchObject([
      { image: 'a:$V', name: 'build', platform: '$BUILDPLATFORM' },
      { image: 'build', name: undefined },
    ])
  })
})

describe('errors are Docker’s', () => {
  test.each([
    ['', 'the Dockerfile (Dockerfile) cannot be empty'],
    ['# only a comment', 'failed to parse Dockerfile: file with no instructions'],
    ['RUN x', 'no build stage in current context'],
    ['ARG A', 'No image was generated. Is your Dockerfile empty?'],
    ['FROM x\n\nFOO bar', 'dockerfile parse error on line 3: unknown instruction: FOO (did you mean FROM?)'],
    ['FROM x\nBLAHBLAH', 'dockerfile parse error on line 2: unknown instruction: BLAHBLAH'],
    ['FROM x\nrunn y', 'dockerfile parse error on line 2: unknown instruction: runn (did you mean run?)'],
    ['FROM', 'dockerfile parse error on line 1: FROM requires either one or three arguments'],
    ['FROM a b', 'dockerfile parse error on line 1: FROM requires either one or three arguments'],
    [
      'FROM a AS 1x',
      'dockerfile parse error on line 1: invalid name for build stage: "1x", name can\'t start with a number or contain symbols',
    ],
    [
      'FROM a\nCOPY x',
      'dockerfile parse error on line 2: COPY requires at least two arguments, but only one was provided. Destination could not be determined',
    ],
    ['FROM a\nCOPY --fro=b x y', 'dockerfile parse error on line 2: unknown flag: --fro (did you mean --from?)'],
    ['FROM a\nCOPY --from x y', 'dockerfile parse error on line 2: missing a value on flag: --from'],
    ['FROM a\nENV A', 'dockerfile parse error on line 2: ENV must have two arguments'],
    [
      'FROM a\nENV A=1 B',
      'dockerfile parse error on line 2: Syntax error - can\'t find = in "B". Must be of the form: name=value',
    ],
    ['FROM a\nENV =1', 'dockerfile parse error on line 2: ENV names can not be blank'],
    ['FROM a\nWORKDIR', 'dockerfile parse error on line 2: WORKDIR requires exactly one argument'],
    ['FROM a\nEXPOSE', 'dockerfile parse error on line 2: EXPOSE requires at least one argument'],
    [
      'FROM a\nCMD ["a", 1]',
      'dockerfile parse error on line 2: when using JSON array syntax, arrays must be comprised of strings only',
    ],
    ['FROM a\nSHELL sh', 'dockerfile parse error on line 2: SHELL requires the arguments to be in JSON form: SHELL sh'],
    ['FROM a\nHEALTHCHECK FOO', 'dockerfile parse error on line 2: Unknown type "FOO" in HEALTHCHECK (try CMD)'],
    ['FROM a\nHEALTHCHECK --interval=1 CMD x', 'dockerfile parse error on line 2: time: missing unit in duration "1"'],
    [
      'FROM a\nONBUILD ONBUILD RUN x',
      "dockerfile parse error on line 2: Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed",
    ],
    ['FROM a\nONBUILD FROM x', "dockerfile parse error on line 2: FROM isn't allowed as an ONBUILD trigger"],
    ['FROM a\nRUN --mount=type=foo,target=/x y', 'dockerfile parse error on line 2: unsupported mount type "foo"'],
    ['FROM a\nRUN --network=lan x', 'dockerfile parse error on line 2: invalid network mode: lan'],
    ['FROM a\nRUN --security=insecure x', 'dockerfile parse error on line 2: security.insecure is not allowed'],
    ['FROM a\nRUN <<EOF\nx', 'failed to parse Dockerfile: unterminated heredoc'],
    ['# escape=x\nFROM a', "failed to parse Dockerfile: invalid escape token 'x' does not match ` or \\"],
  ])('%j', (text, message) => expect(() => parseDockerfile(text)).toThrow(new Error(message)))
})

test('commands outside a stage', () => {
  expect(parseCommands('ENV A=1\nCMD ["x"]')).toMatchObject([{ kind: 'ENV' }, { kind: 'CMD' }])
  expect(() => parseCommands('FROM x')).toThrow('FROM is not allowed here')
})
