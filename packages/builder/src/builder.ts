/**
 * docker build: a Dockerfile and a context become an image.
 *
 *   parse ─→ plan ─→ stages, each as soon as the ones it needs are done ─→ the target's last image
 *
 * Parsing and planning fail before anything is shown, so a mistake in the Dockerfile is an ordinary API error.
 * When one stage fails the others are stopped, and the first failure is the build's.
 */
import { setMaxListeners } from 'node:events'
import { rmSync } from 'node:fs'
import type { Clock } from '@dinghy/shared/api/clock'
import { BuildArgs, platformArgs, unusedArgs } from './dockerfile/build-args.ts'
import type { GivenArgs } from './dockerfile/build-args.ts'
import type { Dockerfile } from './dockerfile/parse.ts'
import { parseDockerfile } from './dockerfile/parse.ts'
import type { BuildPlan, PlannedStage, Source } from './dockerfile/plan.ts'
import { planBuild, resolveFrom } from './dockerfile/plan.ts'
import type { Snapshotter } from '@dinghy/images/layers/snapshotter'
import type { EnsureOptions, ImageSource } from '@dinghy/images/image-source'
import type { OnProgress } from '@dinghy/images/distribution/progress'
import type { Image, ImageStore } from '@dinghy/images/store/image-store'
import { viewOf } from '@dinghy/images/store/image-view'
import { LayerView } from '@dinghy/images/layers/layer-view'
import type { Platform } from '@dinghy/images/content/oci'
import { hostPlatform } from '@dinghy/images/content/oci'
import { parsePlatform } from '@dinghy/images/distribution/platform'
import type { BuildCache } from './build-cache.ts'
import { BuildContext } from './build-context.ts'
import type { CopySource } from './steps/copy-plan.ts'
import type { RunCommand, RunLimits } from './steps/run-command.ts'
import type { BuildSecrets } from './steps/secrets.ts'
import { buildStage } from './stage-builder.ts'
import { StageOutput } from './stage-output.ts'

export interface BuildServices {
  images: ImageStore
  source: ImageSource
  cache: BuildCache
  snapshotter: Snapshotter
  runCommand: RunCommand
  clock: Clock
  /** For contexts, running steps and cache mounts. */
  directory: string
}

export interface BuildOptions {
  /** Name of the Dockerfile, for messages. */
  dockerfile: string
  target?: string | undefined
  buildArgs: GivenArgs
  labels: Record<string, string>
  noCache: boolean
  pull: boolean
  /** Of every RUN. */
  network: 'none' | 'default'
  /** Further lines of /etc/hosts, as "name:address". */
  extraHosts?: readonly string[]
  limits?: RunLimits
  /** Images of this machine whose steps count as done: what was built elsewhere and pulled. */
  cacheFrom?: readonly string[]
  platform?: Platform | undefined
  secrets?: BuildSecrets
  credentials?: EnsureOptions['credentials']
}

interface BuildEvents {
  onText: (text: string) => void
  onProgress: OnProgress
  /** The image of a finished stage. */
  onImage: (id: string) => void
}

interface PreparedBuild {
  dockerfile: Dockerfile
  plan: BuildPlan
  options: BuildOptions
}

/** Everything that can go wrong without running a step. */
export function prepareBuild(context: BuildContext, options: BuildOptions): PreparedBuild {
  const dockerfile = parseDockerfile(context.dockerfile(), options.dockerfile)
  const target = options.platform ?? hostPlatform()
  const plan = planBuild(dockerfile, {
    target: options.target,
    buildArgs: options.buildArgs,
    platformArgs: platformArgs(hostPlatform(), target),
    labels: options.labels,
  })
  return { dockerfile, plan, options }
}

/** Runs the plan and resolves with the image. Throws what the failing step threw. */
export async function runBuild(
  prepared: PreparedBuild,
  context: BuildContext,
  services: BuildServices,
  events: BuildEvents,
  signal: AbortSignal,
): Promise<Image> {
  const build = new Build(prepared, context, services, events, signal)
  try {
    return await build.run()
  } finally {
    build.cleanUp()
  }
}

class Build {
  readonly #prepared: PreparedBuild
  readonly #context: BuildContext
  readonly #services: BuildServices
  readonly #events: BuildEvents
  readonly #directory: string
  readonly #output: StageOutput
  readonly #failure = new AbortController()
  readonly #signal: AbortSignal
  readonly #stages = new Map<number, Promise<Image | undefined>>()
  /** By name and platform: two stages with one base pull it once. */
  readonly #images = new Map<string, Promise<Image>>()
  readonly #declaredArgs = new Set<string>()
  #cacheSources: Image[] = []

  constructor(
    prepared: PreparedBuild,
    context: BuildContext,
    services: BuildServices,
    events: BuildEvents,
    signal: AbortSignal,
  ) {
    this.#prepared = prepared
    this.#context = context
    this.#services = services
    this.#events = events
    this.#directory = BuildContext.newDirectory(services.directory)
    this.#signal = AbortSignal.any([signal, this.#failure.signal])
    // Every step of every stage listens.
    setMaxListeners(0, this.#signal)
    this.#output = new StageOutput(
      prepared.plan.stages.map(({ index }) => index),
      events.onText,
    )
  }

  async run(): Promise<Image> {
    const { plan, dockerfile, options } = this.#prepared
    for (const warning of dockerfile.warnings) this.#events.onText(`${warning}\n`)
    for (const [index, command] of dockerfile.metaArgs.entries()) {
      this.#events.onText(`Step ${index + 1}/${plan.totalSteps} : ${command.text}\n`)
      for (const { name } of command.args) this.#declaredArgs.add(name)
    }
    this.#cacheSources = await this.#findCacheSources(options.cacheFrom ?? [])
    const results = await this.#runStages(plan.stages)
    const image = results.at(-1)
    const unused = unusedArgs(options.buildArgs, this.#declaredArgs)
    if (unused.length > 0) {
      this.#events.onText(`[Warning] One or more build-args [${unused.join(' ')}] were not consumed\n`)
    }
    if (!image) throw new Error('No image was generated. Is your Dockerfile empty?')
    return image
  }

  cleanUp(): void {
    rmSync(this.#directory, { recursive: true, force: true })
  }

  async #findCacheSources(names: readonly string[]): Promise<Image[]> {
    const found = await Promise.all(
      names.map(async (name) => ({ name, image: await this.#services.images.find(name) })),
    )
    return found.flatMap(({ name, image }) => {
      if (image) return image
      this.#events.onText(`[Warning] the cache source ${name} is not on this machine: pull it first\n`)
      return []
    })
  }

  async #runStages(stages: readonly PlannedStage[]): Promise<(Image | undefined)[]> {
    const running = stages.map((stage) => this.#stage(stage.index))
    try {
      return await Promise.all(running)
    } catch (error) {
      this.#failure.abort(error)
      // Nobody may still be writing into the build's directory when it is removed.
      await Promise.allSettled(running)
      this.#output.flushAll()
      throw error
    }
  }

  #stage(index: number): Promise<Image | undefined> {
    let stage = this.#stages.get(index)
    if (!stage) {
      const planned = this.#prepared.plan.stages.find((candidate) => candidate.index === index)
      // Only an ONBUILD trigger, which nobody could foresee, can ask for a stage that was not planned.
      if (!planned) throw new Error(`stage ${index} is not a part of this build`)
      stage = this.#runStage(planned)
      this.#stages.set(index, stage)
    }
    return stage
  }

  async #runStage(planned: PlannedStage): Promise<Image | undefined> {
    const { plan, dockerfile, options } = this.#prepared
    await Promise.all(planned.dependencies.map((index) => this.#stage(index)))
    const args = new BuildArgs(options.buildArgs, plan.globalArgs)
    const image = await buildStage(planned, {
      services: this.#services,
      base: (stage) => this.#image(stage.base, stage.platform),
      source: (stage, from) => this.#copySource(stage, from),
      args,
      escape: dockerfile.escape,
      useCache: !options.noCache,
      network: options.network,
      extraHosts: options.extraHosts ?? [],
      limits: options.limits ?? {},
      cacheSources: this.#cacheSources,
      secrets: options.secrets ?? new Map(),
      totalSteps: plan.totalSteps,
      directory: this.#directory,
      write: (text) => this.#output.write(planned.index, text),
      signal: this.#signal,
    })
    for (const name of args.declaredNames()) this.#declaredArgs.add(name)
    this.#output.finish(planned.index)
    if (image) this.#events.onImage(image.id)
    return image
  }

  #image(source: Source, platform?: string): Promise<Image | undefined> {
    if (source === 'scratch') return Promise.resolve(undefined)
    if ('stage' in source) return this.#stage(source.stage)
    const { pull, credentials } = this.#prepared.options
    const wanted = platform === undefined ? this.#prepared.options.platform : parsePlatform(platform)
    const key = JSON.stringify([source.image, wanted])
    let image = this.#images.get(key)
    if (!image) {
      const { onProgress } = this.#events
      const ensureOptions = { alwaysPull: pull, platform: wanted, ...(credentials ? { credentials } : {}) }
      image = this.#services.source.ensure(source.image, ensureOptions, onProgress, this.#signal)
      this.#images.set(key, image)
    }
    return image
  }

  async #copySource(planned: PlannedStage, from: string | undefined): Promise<CopySource> {
    if (from === undefined) return this.#context.source()
    const names = this.#prepared.dockerfile.stages.map(({ from: { name } }) => name ?? '')
    const image = await this.#image(resolveFrom(from, planned.index, names))
    return { view: image ? viewOf(image) : new LayerView([]), isContext: false }
  }
}
