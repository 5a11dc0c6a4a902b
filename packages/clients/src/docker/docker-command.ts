/**
 * What a command of `dinghy docker` is, and what it is given.
 */

import type { Flags, VerbShape } from '../command-line/verbs.ts'
import type { DockerEngine } from '@dinghy/shared/docker/engine'

interface DockerContext {
  engine: DockerEngine
  flags: Flags
  args: string[]
}

export interface DockerCommand extends VerbShape {
  run(context: DockerContext): Promise<number>
}
