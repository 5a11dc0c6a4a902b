/**
 * A whole Dockerfile: the ARGs before the first FROM, and the build stages. Pure; every error is a DockerfileError
 * whose message is Docker's own, line numbers included.
 */
import type { Command, From } from './instructions.ts'
import { parseInstruction } from './instructions.ts'
import type { RawInstruction } from './lines.ts'
import { DockerfileError, splitLines } from './lines.ts'

export type { Command } from './instructions.ts'
export { DockerfileError } from './lines.ts'

export interface Stage {
  from: From & { line: number; text: string }
  commands: Command[]
}

export interface Dockerfile {
  /** Usable in FROM lines only, and by ARG lines of the same name inside a stage. */
  metaArgs: (Command & { kind: 'ARG' })[]
  stages: Stage[]
  escape: string
  warnings: string[]
}

/** `name` is what the person calls the file, for messages. */
export function parseDockerfile(text: string, name = 'Dockerfile'): Dockerfile {
  if (text === '') throw new DockerfileError(`the Dockerfile (${name}) cannot be empty`)
  const { instructions, escape, warnings } = split(text, name)
  const metaArgs: Dockerfile['metaArgs'] = []
  const stages: Stage[] = []
  for (const raw of instructions) {
    const instruction = withLine(raw, () => parseInstruction(raw, escape))
    const stage = stages.at(-1)
    if (instruction.kind === 'FROM') stages.push({ from: instruction, commands: [] })
    else if (stage) stage.commands.push(instruction)
    else if (instruction.kind === 'ARG') metaArgs.push(instruction)
    else throw new DockerfileError('no build stage in current context')
  }
  if (stages.length === 0) throw new DockerfileError('No image was generated. Is your Dockerfile empty?')
  return { metaArgs, stages, escape, warnings }
}

/** Instructions outside any stage: ONBUILD triggers of a base image, `docker commit --change`. */
export function parseCommands(text: string): Command[] {
  const { instructions, escape } = splitLines(text)
  return instructions.map((raw) => {
    const instruction = withLine(raw, () => parseInstruction(raw, escape))
    if (instruction.kind === 'FROM') throw new DockerfileError('FROM is not allowed here')
    return instruction
  })
}

function split(text: string, name: string): ReturnType<typeof splitLines> {
  try {
    return splitLines(text)
  } catch (error) {
    if (error instanceof DockerfileError) throw new DockerfileError(`failed to parse ${name}: ${error.message}`)
    throw error
  }
}

function withLine<T>(raw: RawInstruction, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    if (!(error instanceof Error)) throw error
    throw new DockerfileError(`dockerfile parse error on line ${raw.line}: ${error.message}`)
  }
}
