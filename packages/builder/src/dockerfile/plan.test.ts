import { expect, test } from 'vitest'
import { parseDockerfile } from './parse.ts'
import { planBuild, resolveFrom } from './plan.ts'

function plan(text: string, options: Partial<Parameters<typeof planBuild>[1]> = {}) {
  return planBuild(parseDockerfile(text), { buildArgs: {}, platformArgs: {}, ...options })
}

const dockerfileText = `
ARG V=1
FROM node:$V AS base
FROM base AS deps
RUN npm ci
FROM base AS test
RUN npm test
FROM alpine AS tools
FROM base
COPY --from=deps /a /a
COPY --from=3 /b /b
RUN --mount=type=bind,from=tools,target=/t x
COPY --from=nginx:1 /c /c
`

test('only what the target needs is built, steps are numbered without the rest', () => {
  const { stages, totalSteps } = plan(dockerfileText)
  expect(stages.map(({ index, dependencies, firstStep }) => ({ index, dependencies, firstStep }))).toEqual([
    { index: 0, dependencies: [], firstStep: 2 },
    { index: 1, dependencies: [0], firstStep: 3 },
    { index: 3, dependencies: [], firstStep: 5 },
    { index: 4, dependencies: [0, 1, 3], firstStep: 6 },
  ])
  expect(totalSteps).toBe(10)
  expect(stages.map(({ base }) => base)).toEqual([{ image: 'node:1' }, { stage: 0 }, { image: 'alpine' }, { stage: 0 }])
})

test.each([
  ['test', [0, 2]],
  ['TOOLS', [3]],
  ['1', [0, 1]],
])('target %s builds stages %j', (target, indexes) => {
  expect(plan(dockerfileText, { target }).stages.map(({ index }) => index)).toEqual(indexes)
})

test('a target that does not exist', () => {
  expect(() => plan(dockerfileText, { target: 'nope' })).toThrow('target stage "nope" could not be found')
})

test('FROM sees arguments before it and the platform', () => {
  const { stages, globalArgs } = plan('ARG A=x\nARG B=$A-y\nFROM --platform=$BUILDPLATFORM $B:${T:-latest}', {
    buildArgs: { A: 'given' },
    platformArgs: { BUILDPLATFORM: 'linux/amd64' },
  })
  expect(stages[0]).toMatchObject({ base: { image: 'given-y:latest' }, platform: 'linux/amd64' })
  expect(globalArgs).toMatchObject({ A: 'given', B: 'given-y' })
})

test('scratch, and a name that is a stage only after it was defined', () => {
  expect(plan('FROM scratch').stages[0]?.base).toBe('scratch')
  expect(plan('FROM node AS node\nFROM node').stages.map(({ base }) => base)).toEqual([{ image: 'node' }, { stage: 0 }])
})

test.each([
  ['FROM $NOPE', 'base name ($NOPE) should not be blank'],
  ['FROM a AS x\nFROM b AS x', 'duplicate name x'],
  ['FROM a\nCOPY --from=0 x y', 'invalid from flag value 0: invalid stage index 0'],
  ['FROM a\nCOPY --from=$X x y', 'variable expansion is not supported for --from'],
])('%j fails', (text, message) => expect(() => plan(text)).toThrow(message))

test('--from is a stage before it is an image', () => {
  expect(resolveFrom('Build', 2, ['build', ''])).toEqual({ stage: 0 })
  expect(resolveFrom('1', 2, ['build', ''])).toEqual({ stage: 1 })
  expect(resolveFrom('later', 1, ['build', 'later'])).toEqual({ image: 'later' })
})
