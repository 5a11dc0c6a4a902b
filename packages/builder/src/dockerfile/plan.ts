/**
 * Which stages a build has to run, and which of them must wait for which. Pure.
 *
 * Only what the target needs is built, as BuildKit does it (the classic builder ran every stage up to the target).
 * Stages that do not need each other may run at the same time; `dependencies` says who needs whom.
 */
import type { GivenArgs } from './build-args.ts'
import { BuildArgs } from './build-args.ts'
import { expand } from './expand.ts'
import type { Command, Dockerfile, Stage } from './parse.ts'
import { DockerfileError } from './parse.ts'

/** Where files come from: an earlier stage by index, an image by name, or nothing at all. */
export type Source = { stage: number } | { image: string } | 'scratch'

export interface PlannedStage {
  index: number
  stage: Stage
  base: Source
  /** `--platform` of the FROM, expanded. */
  platform: string | undefined
  /** Indexes of stages that must be finished first. */
  dependencies: number[]
  /** Number of the stage's FROM among all steps of the build. */
  firstStep: number
}

export interface BuildPlan {
  /** Needed stages in the order of the file; the last one is the target. */
  stages: PlannedStage[]
  /** All steps, ARGs before the first FROM included. */
  totalSteps: number
  /** Values of the ARGs before the first FROM, and of the platform. */
  globalArgs: Record<string, string | undefined>
}

interface PlanOptions {
  target?: string | undefined
  buildArgs: GivenArgs
  platformArgs: Record<string, string>
  /** `--label`: as if the target ended in LABEL instructions. */
  labels?: Record<string, string>
}

export function planBuild(dockerfile: Dockerfile, options: PlanOptions): BuildPlan {
  const globalArgs = evaluateGlobalArgs(dockerfile, options)
  const names: string[] = []
  const stages = dockerfile.stages.map((parsed, index) => {
    const stage = { ...parsed, commands: [...parsed.commands] }
    if (stage.from.name !== undefined && names.includes(stage.from.name)) {
      throw new DockerfileError(`duplicate name ${stage.from.name}`)
    }
    const planned = planStage(stage, index, names, globalArgs, dockerfile.escape)
    names.push(stage.from.name ?? '')
    return planned
  })

  const target = findTarget(stages, options.target)
  const needed = new Set<number>()
  collect(target, stages, needed)
  target.stage.commands.push(...labelCommands(options.labels ?? {}))

  let nextStep = dockerfile.metaArgs.length + 1
  const kept = stages.filter(({ index }) => needed.has(index))
  for (const stage of kept) {
    stage.firstStep = nextStep
    nextStep += 1 + stage.stage.commands.length
  }
  return { stages: kept, totalSteps: nextStep - 1, globalArgs }
}

/** What `--from=` means inside the stage with this index: an earlier stage's name or number, or else an image. */
export function resolveFrom(text: string, index: number, names: readonly string[]): Source {
  if (text.includes('$')) {
    throw new DockerfileError(
      'variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround',
    )
  }
  const byName = names.slice(0, index).indexOf(text.toLowerCase())
  if (byName >= 0) return { stage: byName }
  if (!/^\d+$/.test(text)) return { image: text }
  if (Number(text) >= index) throw new DockerfileError(`invalid from flag value ${text}: invalid stage index ${text}`)
  return { stage: Number(text) }
}

/** Names that instructions of the stage take files from. */
function fromFlags(command: Command): string[] {
  if (command.kind === 'COPY') return command.from === undefined ? [] : [command.from]
  if (command.kind === 'RUN') return command.mounts.flatMap(({ from }) => from ?? [])
  return []
}

function planStage(
  stage: Stage,
  index: number,
  names: readonly string[],
  globalArgs: BuildPlan['globalArgs'],
  escape: string,
): PlannedStage {
  const lookup = (name: string): string | undefined => globalArgs[name]
  const image = expand(stage.from.image, lookup, escape)
  const { platform } = stage.from
  if (image === '') {
    throw new DockerfileError(`base name (${stage.from.image}) should not be blank`)
  }
  // FROM knows stages by name only: `FROM 0` is an image called 0.
  const earlier = names.indexOf(image.toLowerCase())
  const base: Source = earlier >= 0 ? { stage: earlier } : image === 'scratch' ? 'scratch' : { image }
  const sources = [base, ...stage.commands.flatMap(fromFlags).map((text) => resolveFrom(text, index, names))]
  const dependencies = sources.flatMap((source) =>
    typeof source === 'object' && 'stage' in source ? source.stage : [],
  )
  return {
    index,
    stage,
    base,
    platform: platform === undefined ? undefined : expand(platform, lookup, escape),
    dependencies: [...new Set(dependencies)],
    firstStep: 0,
  }
}

/** In order of their names, so that the cache does not depend on how the client sorts. */
function labelCommands(labels: Record<string, string>): Command[] {
  return Object.entries(labels)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => {
      // Values are literal here, and LABEL expands its words.
      const quoted = [name, value].map((text) => `'${text.replaceAll("'", `'"'"'`)}'`) as [string, string]
      return { kind: 'LABEL', pairs: [quoted], line: 0, text: `LABEL ${name}=${value}` }
    })
}

function evaluateGlobalArgs(dockerfile: Dockerfile, options: PlanOptions): BuildPlan['globalArgs'] {
  const args = new BuildArgs(options.buildArgs, options.platformArgs)
  const lookup = (name: string): string | undefined => args.get(name) ?? options.platformArgs[name]
  for (const { name, value } of dockerfile.metaArgs.flatMap((command) => command.args)) {
    args.declare(name, value === undefined ? undefined : expand(value, lookup, dockerfile.escape))
  }
  return { ...options.platformArgs, ...args.significant() }
}

function findTarget(stages: PlannedStage[], target: string | undefined): PlannedStage {
  const last = stages.at(-1)
  if (!last) throw new DockerfileError('No image was generated. Is your Dockerfile empty?')
  if (target === undefined || target === '') return last
  const found =
    stages.find(({ stage }) => stage.from.name === target.toLowerCase()) ??
    (/^\d+$/.test(target) ? stages[Number(target)] : undefined)
  if (!found) throw new DockerfileError(`target stage ${JSON.stringify(target)} could not be found`)
  return found
}

function collect(stage: PlannedStage, stages: PlannedStage[], needed: Set<number>): void {
  if (needed.has(stage.index)) return
  needed.add(stage.index)
  for (const index of stage.dependencies) {
    const dependency = stages[index]
    if (dependency) collect(dependency, stages, needed)
  }
}
