/** `--change` of docker import and docker commit: Dockerfile instructions for an image that no Dockerfile made. */
import { BuildArgs } from './dockerfile/build-args.ts'
import { evaluate, initialState, workingDirectory } from './dockerfile/evaluate.ts'
import type { Command } from './dockerfile/instructions.ts'
import { isMetadata } from './dockerfile/instructions.ts'
import { DockerfileError, parseCommands } from './dockerfile/parse.ts'
import type { OciImageConfig, RunConfig } from '@dinghy/images/content/oci'

const allowedChanges: Command['kind'][] = [
  'CMD',
  'ENTRYPOINT',
  'ENV',
  'EXPOSE',
  'HEALTHCHECK',
  'LABEL',
  'ONBUILD',
  'STOPSIGNAL',
  'USER',
  'VOLUME',
  'WORKDIR',
]

/** The config with the instructions applied. Throws DockerfileError. */
export function applyChanges(config: RunConfig, changes: readonly string[]): RunConfig {
  const text = changes.join('\n')
  if (text.trim() === '') return config
  const base: OciImageConfig = { architecture: '', os: '', config, rootfs: { type: 'layers', diff_ids: [] } }
  let state = initialState(base, new BuildArgs({}), '\\')
  // Unlike a FROM, a change keeps the triggers that are there.
  if (config.OnBuild) state = { ...state, config: { ...state.config, OnBuild: config.OnBuild } }
  for (const command of parseCommands(text)) {
    if (!allowedChanges.includes(command.kind)) {
      throw new DockerfileError(`${command.kind.toLowerCase()} is not a valid change command`)
    }
    if (command.kind === 'WORKDIR') {
      state = { ...state, config: { ...state.config, WorkingDir: workingDirectory(state, command.path) } }
    } else if (isMetadata(command)) {
      state = evaluate(state, command).state
    }
  }
  return state.config
}
