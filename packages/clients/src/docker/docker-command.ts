/**
 * What a command of `dinghy docker` is, and what it is given.
 */

import type { Flags, VerbShape } from '../command-line/verbs.ts'
import type { Engine } from './engine.ts'

export interface DockerContext {
  engine: Engine
  flags: Flags
  args: string[]
}

export interface DockerCommand extends VerbShape {
  run(context: DockerContext): Promise<number>
}
