/**
 * What a command of `dinghy docker` is, and what it is given.
 */

import type { ParseArgsConfig } from 'node:util'
import type { Flags } from '../command-line/command.ts'
import type { DockerEngine } from '@dinghy/shared/docker/engine'

export interface DockerContext {
  engine: DockerEngine
  flags: Flags
  args: string[]
}

export interface DockerCommand {
  usage: string
  flags?: NonNullable<ParseArgsConfig['options']>
  /** Flags end at the first word: what follows the image of `run` belongs to the container. */
  stopsAtFirstWord?: boolean
  run(context: DockerContext): Promise<number>
}
