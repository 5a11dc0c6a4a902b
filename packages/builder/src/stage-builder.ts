/**
 * Runs the steps of one stage, one image after the other.
 *
 * Every step goes the same way: decide what it will do, look into the cache, do it, and enter the result as an image
 * of its own whose parent is the image before. So a later build can start at any step, and `docker history` shows
 * them all.
 */
import { rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { randomHex } from '@dinghy/shared/api/ids'
import type { Clock } from '@dinghy/shared/api/clock'
import type { Rootfs, Snapshotter } from '@dinghy/images/layers/snapshotter'
import type { BuildArgs } from './dockerfile/build-args.ts'
import type { StageState } from './dockerfile/evaluate.ts'
import {
  commandArgs,
  defaultShell,
  evaluate,
  expandCopy,
  initialState,
  lookupIn,
  runArgs,
  workingDirectory,
} from './dockerfile/evaluate.ts'
import { expandText } from './dockerfile/expand.ts'
import { heredocText } from './dockerfile/heredoc.ts'
import type { Copy, Metadata, Run, Workdir } from './dockerfile/instructions.ts'
import type { Command } from './dockerfile/parse.ts'
import { parseCommands } from './dockerfile/parse.ts'
import type { PlannedStage } from './dockerfile/plan.ts'
import type { Image, ImageStore } from '@dinghy/images/store/image-store'
import type { Layer } from '@dinghy/images/layers/layer-store'
import { LayerView } from '@dinghy/images/layers/layer-view'
import type { OciImageConfig } from '@dinghy/images/content/oci'
import { hostPlatform } from '@dinghy/images/content/oci'
import { tarStream } from '@dinghy/images/files/tar'
import { viewOf } from '@dinghy/images/store/image-view'
import type { BuildCache } from './build-cache.ts'
import { stepInHistory } from './build-cache.ts'
import { copyLayer, directoryHeader } from './steps/copy-layer.ts'
import type { CopySource } from './steps/copy-plan.ts'
import { prepareCopy } from './steps/copy-step.ts'
import { mountDigest } from './steps/mount-digest.ts'
import type { RunCommand } from './steps/run-command.ts'
import type { RunLimits } from './steps/run-command.ts'
import { runStep } from './steps/run-step.ts'
import type { BuildSecrets } from './steps/secrets.ts'

interface StageServices {
  images: ImageStore
  cache: BuildCache
  snapshotter: Snapshotter
  runCommand: RunCommand
  clock: Clock
  /** Lives as long as the runtime's root: running steps, cache mounts. */
  directory: string
}

/** What a stage needs of the build that it is a part of. */
interface StageSession {
  services: StageServices
  /** The image a stage starts from; undefined for scratch. */
  base: (planned: PlannedStage) => Promise<Image | undefined>
  /** What `--from=` of a step in this stage means; undefined for the build context. */
  source: (planned: PlannedStage, from: string | undefined) => Promise<CopySource>
  args: BuildArgs
  escape: string
  useCache: boolean
  network: 'none' | 'default'
  extraHosts: readonly string[]
  limits: RunLimits
  /** Images whose steps need not be run again. */
  cacheSources: readonly Image[]
  secrets: BuildSecrets
  totalSteps: number
  /** Removed when the build is over. */
  directory: string
  write: (text: string) => void
  signal: AbortSignal
}

/** The stage's last image; undefined when it is still scratch. */
export function buildStage(planned: PlannedStage, session: StageSession): Promise<Image | undefined> {
  return new StageBuilder(planned, session).run()
}

class StageBuilder {
  readonly #planned: PlannedStage
  readonly #session: StageSession
  readonly #services: StageServices
  #image: Image | undefined
  #state: StageState

  constructor(planned: PlannedStage, session: StageSession) {
    this.#planned = planned
    this.#session = session
    this.#services = session.services
    this.#state = initialState(undefined, session.args, session.escape)
  }

  async run(): Promise<Image | undefined> {
    const { stage, firstStep } = this.#planned
    this.#announce(firstStep, stage.from.text)
    this.#image = await this.#session.base(this.#planned)
    this.#state = initialState(this.#image?.config, this.#session.args, this.#session.escape)
    this.#showImage()
    await this.#runTriggers(this.#image?.config.config.OnBuild ?? [])
    for (const [index, command] of stage.commands.entries()) {
      this.#session.signal.throwIfAborted()
      this.#announce(firstStep + 1 + index, command.text)
      await this.#step(command)
      this.#showImage()
    }
    return this.#image
  }

  async #runTriggers(triggers: readonly string[]): Promise<void> {
    if (triggers.length === 0) return
    this.#session.write(`# Executing ${triggers.length} build trigger${triggers.length > 1 ? 's' : ''}\n`)
    for (const command of triggers.flatMap(parseCommands)) await this.#step(command)
  }

  async #step(command: Command): Promise<void> {
    switch (command.kind) {
      case 'RUN':
        return this.#run(command)
      case 'COPY':
      case 'ADD':
        return this.#copy(command)
      case 'WORKDIR':
        return this.#workdir(command)
      default:
        return this.#metadata(command)
    }
  }

  async #metadata(command: Metadata): Promise<void> {
    const { state, comment } = evaluate(this.#state, command)
    this.#state = state
    // The comment alone does not tell what an ENTRYPOINT did to CMD.
    const step = JSON.stringify([comment, state.config, state.author])
    await this.#commit({ step, createdBy: `${this.#shell()} #(nop)  ${comment}` })
  }

  async #workdir({ path }: Workdir): Promise<void> {
    const WorkingDir = workingDirectory(this.#state, path)
    this.#state = { ...this.#state, config: { ...this.#state.config, WorkingDir } }
    const comment = `WORKDIR ${WorkingDir}`
    const image = this.#view()
    const target = image.realPath(WorkingDir)
    const isMissing = image.lookup(target) === undefined
    await this.#commit({
      step: comment,
      createdBy: `${this.#shell()} #(nop) ${comment}`,
      ...(isMissing ? { layer: () => this.#directoryLayer(target, image) } : {}),
    })
  }

  async #run(run: Run): Promise<void> {
    const { args } = this.#state
    const shown = commandArgs(this.#state.config, run)
    const significant = runArgs(this.#state.config, args.significant())
    const prefix = significant.length > 0 ? [`|${significant.length}`, ...significant] : []
    const createdBy = [...prefix, ...shown, ...run.heredocs.map(({ content, name }) => `\n${content}${name}`)].join(' ')
    const mountSource = (from: string | undefined) => this.#session.source(this.#planned, from)
    const isolated = run.network === 'none' || this.#session.network === 'none'
    const { extraHosts } = this.#session
    await this.#commit({
      step: JSON.stringify([createdBy, run.isShell, run.mounts, ...(isolated ? ['none'] : []), ...extraHosts]),
      content: await mountDigest(run.mounts, mountSource),
      createdBy,
      layer: () =>
        runStep(
          {
            run,
            config: this.#state.config,
            network: this.#session.network,
            extraHosts,
            limits: this.#session.limits,
            buildArgs: runArgs(this.#state.config, args.all()),
            secrets: this.#session.secrets,
            layers: this.#image?.layers ?? [],
            hostBase: this.#image?.hostBase ?? false,
            mountSource,
            onStart: (id) => this.#session.write(` ---> Running in ${id.slice(0, 12)}\n`),
            onOutput: this.#session.write,
            onRemoved: (id) => this.#session.write(` ---> Removed intermediate container ${id.slice(0, 12)}\n`),
          },
          { ...this.#services, layers: this.#services.images.layers },
          this.#session.signal,
        ),
    })
  }

  async #copy(written: Copy): Promise<void> {
    const copy = expandCopy(this.#state, written)
    const image = this.#view()
    const prepared = await prepareCopy(
      {
        copy,
        heredocs: copy.heredocs.map((heredoc) => {
          const text = heredocText(heredoc)
          const { escape } = this.#session
          const content = Buffer.from(heredoc.expand ? expandText(text, lookupIn(this.#state), escape) : text)
          return { name: heredoc.name, content, mode: 0o644, modifiedAt: new Date(0) }
        }),
        source: await this.#session.source(this.#planned, copy.from),
        image,
        workingDir: this.#state.config.WorkingDir ?? '/',
        readText: (path) => this.#readText(path, image),
        now: this.#now(),
        directory: this.#session.directory,
      },
      this.#session.signal,
    )
    await this.#commit({
      step: prepared.comment,
      content: prepared.digest,
      createdBy: `${this.#shell()} #(nop) ${prepared.comment}`,
      layer: () => {
        const tar = copyLayer(prepared.items, prepared.attributes, image, this.#session.signal)
        return this.#services.images.layers.add(tar, this.#session.signal)
      },
    })
  }

  /** The common end of all steps. Without `layer` the step changed the config only. */
  async #commit(step: {
    step: string
    content?: string | undefined
    createdBy: string
    layer?: () => Promise<Layer>
  }): Promise<void> {
    const { images, cache } = this.#services
    const key = { parent: this.#image?.id ?? '', step: step.step, content: step.content }
    const hit = this.#session.useCache ? ((await cache.find(key)) ?? (await this.#fromSources(step))) : undefined
    if (hit) {
      this.#session.write(' ---> Using cache\n')
      this.#image = hit
      return
    }
    const layer = await step.layer?.()
    const parent = this.#image?.id
    this.#image = await images.create(this.#config(step.createdBy, layer), parent === undefined ? {} : { parent })
    await cache.remember(key, this.#image.id)
  }

  /** The image that this step gave when one of the cache sources was built; nothing if none has had it here. */
  async #fromSources({ createdBy, content }: { createdBy: string; content?: string | undefined }) {
    // What a history does not show (files that a RUN mounts) cannot be compared.
    if (content !== undefined && !createdBy.includes(content)) return undefined
    const { images } = this.#services
    for (const { config } of this.#session.cacheSources) {
      const found = stepInHistory(config, this.#image?.config, createdBy)
      const layer = found?.diffId === undefined ? undefined : await images.layers.get(found.diffId)
      if (!found || (found.diffId !== undefined && !layer)) continue
      const parent = this.#image?.id
      return images.create(this.#config(createdBy, layer, found.created), parent === undefined ? {} : { parent })
    }
    return undefined
  }

  #config(createdBy: string, layer: Layer | undefined, created = this.#now().toISOString()): OciImageConfig {
    const base = this.#image?.config
    const { os, architecture, variant } = base ?? hostPlatform()
    return {
      created,
      ...(this.#state.author !== undefined ? { author: this.#state.author } : {}),
      architecture,
      ...(variant !== undefined ? { variant } : {}),
      os,
      ...(base?.['os.features'] ? { 'os.features': base['os.features'] } : {}),
      config: this.#state.config,
      rootfs: { type: 'layers', diff_ids: [...(base?.rootfs.diff_ids ?? []), ...(layer ? [layer.diffId] : [])] },
      history: [...(base?.history ?? []), { created, created_by: createdBy, ...(!layer ? { empty_layer: true } : {}) }],
    }
  }

  #directoryLayer(path: string, image: LayerView): Promise<Layer> {
    const attributes = { owner: undefined, mode: undefined, now: this.#now() }
    const paths = path.split('/').flatMap((_, index, parts) => parts.slice(0, index + 1).join('/') || [])
    const tar = tarStream(async (archive) => {
      for (const directory of paths) await archive.add(directoryHeader(directory, attributes, image))
    }, this.#session.signal)
    return this.#services.images.layers.add(tar, this.#session.signal)
  }

  /** A file of the image. What a host base shows, only the snapshotter knows. */
  async #readText(path: string, view: LayerView): Promise<string | undefined> {
    if (!this.#image?.hostBase) return view.readFile(path)?.toString()
    const { snapshotter, directory } = this.#services
    const dir = join(directory, 'run', randomHex(32))
    const rootfs: Rootfs = { layers: this.#image.layers, hostBase: true, dir, isTemporary: true }
    try {
      await snapshotter.prepare(rootfs)
      return await readFile(await snapshotter.pathIn(rootfs, path), 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    } finally {
      await snapshotter.cleanup(rootfs)
      rmSync(dir, { recursive: true, force: true })
    }
  }

  #view(): LayerView {
    return this.#image ? viewOf(this.#image) : new LayerView([])
  }

  #shell(): string {
    return (this.#state.config.Shell ?? defaultShell).join(' ')
  }

  #now(): Date {
    return new Date(this.#services.clock.now())
  }

  #announce(step: number, text: string): void {
    this.#session.write(`Step ${step}/${this.#session.totalSteps} : ${text}\n`)
  }

  #showImage(): void {
    this.#session.write(` ---> ${this.#image ? shortId(this.#image.id) : ''}\n`)
  }
}

export function shortId(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12)
}
