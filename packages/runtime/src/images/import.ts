/** docker import and docker commit: images that no Dockerfile made. `--change` takes Dockerfile instructions. */
import type { Readable } from 'node:stream'
import { decompressed } from './compression.ts'
import { BuildArgs } from './dockerfile/build-args.ts'
import { evaluate, initialState, workingDirectory } from './dockerfile/evaluate.ts'
import type { Command } from './dockerfile/instructions.ts'
import { isMetadata } from './dockerfile/instructions.ts'
import { DockerfileError, parseCommands } from './dockerfile/parse.ts'
import type { Image, ImageStore } from './image-store.ts'
import type { OciImageConfig, RunConfig } from './oci.ts'
import { hostPlatform } from './oci.ts'

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

/** An image of one layer: the tar's content. */
export async function importImage(
  store: ImageStore,
  tar: Readable,
  options: { message: string; changes: readonly string[]; now: Date },
  signal?: AbortSignal,
): Promise<Image> {
  const config = applyChanges({}, options.changes)
  const { stream } = await decompressed(tar, signal)
  const layer = await store.layers.add(stream, signal)
  const created = options.now.toISOString()
  return store.create({
    created,
    ...hostPlatform(),
    config,
    rootfs: { type: 'layers', diff_ids: [layer.diffId] },
    history: [{ created, comment: options.message }],
  })
}
