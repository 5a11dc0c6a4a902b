/**
 * RUN: one command in a container's file system, whose changes become a layer.
 *
 * The command must never change the machine outside that file system; whoever runs it sees to it or refuses, and its
 * refusal is the error of the build. What `--mount` brings in is not part of the layer.
 */
import { createHash } from 'node:crypto'
import { chmodSync, chownSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { randomHex } from '@dinghy/shared/api/ids'
import type { Change, Rootfs, Snapshotter } from '@dinghy/images/layers/snapshotter'
import { userNamespace } from '@dinghy/images/files/user-namespace'
import { heredocText, parseHeredoc } from '../dockerfile/heredoc.ts'
import type { Run } from '../dockerfile/instructions.ts'
import type { RunMount } from '../dockerfile/run-mount.ts'
import { defaultShell, envValue } from '../dockerfile/evaluate.ts'
import { diffLayer } from '@dinghy/images/layers/layer-diff'
import type { Layer, LayerStore } from '@dinghy/images/layers/layer-store'
import type { RunConfig } from '@dinghy/images/content/oci'
import type { CopySource } from './copy-plan.ts'
import { copyToHost } from './copy-to-host.ts'
import type { RunCommand, RunLimits, StepMount } from './run-command.ts'
import { mountSecret, type BuildSecrets } from './secrets.ts'

interface RunStep {
  run: Run
  config: RunConfig
  /** Of the whole build; a RUN may have less. */
  network: 'none' | 'default'
  /** `--add-host` of the build, as "name:address". */
  extraHosts: readonly string[]
  limits: RunLimits
  /** Build arguments as NAME=value. */
  buildArgs: string[]
  secrets: BuildSecrets
  layers: string[]
  hostBase: boolean
  /** What `from=` of a mount means; undefined for the build context. */
  mountSource: (from: string | undefined) => Promise<CopySource>
  onStart: (containerId: string) => void
  onOutput: (text: string) => void
  /** Only after a success: what failed is reported instead. */
  onRemoved: (containerId: string) => void
}

interface RunServices {
  snapshotter: Snapshotter
  runCommand: RunCommand
  layers: LayerStore
  /** For the file systems of running steps, and for caches that outlive them. */
  directory: string
}

/** The command exited with something else than 0. */
export class CommandFailedError extends Error {
  readonly code: number

  constructor(args: readonly string[], code: number) {
    super(`The command '${args.join(' ')}' returned a non-zero code: ${code}`)
    this.code = code
  }
}

const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
/** Where a script from a heredoc is seen; gone afterwards, like any mount. */
const scriptDirectory = '/run/heredoc'

export async function runStep(step: RunStep, services: RunServices, signal?: AbortSignal): Promise<Layer> {
  const id = randomHex(64)
  const dir = join(services.directory, 'run', id)
  const rootfs: Rootfs = { layers: step.layers, hostBase: step.hostBase, dir: join(dir, 'rootfs'), isTemporary: true }
  const { snapshotter } = services
  const { args, script } = runArguments(step.run, step.config)
  try {
    mkdirSync(rootfs.dir, { recursive: true })
    const { mounts, variables } = await prepareMounts(step, script, dir, services.directory)
    step.onStart(id)
    await snapshotter.prepare(rootfs)
    const options = {
      rootfs,
      args,
      env: [...withPath(step.config.Env), ...step.buildArgs, ...variables],
      workdir: step.config.WorkingDir || '/',
      user: step.config.User ?? '',
      mounts,
      network: step.run.network === 'none' ? 'none' : step.network,
      extraHosts: step.extraHosts,
      limits: step.limits,
      onOutput: textDecoder(step.onOutput),
    }
    const code = await services.runCommand(options, signal)
    if (code !== 0) throw new CommandFailedError(args, code)
    const changes = withoutMounts(await snapshotter.changes(rootfs), mounts)
    const tar = diffLayer(changes, (path) => snapshotter.changedDirectory(rootfs, path), signal)
    const layer = await services.layers.add(tar, signal)
    step.onRemoved(id)
    return layer
  } finally {
    await snapshotter.cleanup(rootfs)
    rmSync(dir, { recursive: true, force: true })
  }
}

/** What to execute. A heredoc that is the whole command is a script; with `#!` it is a file that runs itself. */
export function runArguments(run: Run, config: RunConfig): { args: string[]; script?: { path: string; text: string } } {
  if (!run.isShell) return { args: run.args }
  const shell = config.Shell ?? defaultShell
  const text = run.args[0] ?? ''
  const [first] = run.heredocs
  if (!first) return { args: [...shell, text] }
  const isWhole = run.heredocs.length === 1 && parseHeredoc(text) !== undefined
  if (isWhole) {
    const body = heredocText(first)
    if (!body.startsWith('#!')) return { args: [...shell, body] }
    const path = posix.join(scriptDirectory, first.name)
    return { args: [path], script: { path, text: body } }
  }
  // The shell knows heredocs itself.
  const bodies = run.heredocs.map(({ content, name }) => `${content}${name}\n`).join('')
  return { args: [...shell, `${text}\n${bodies}`] }
}

/** Mount points that were made for the mounts, and everything in them, are not the command's doing. */
export function withoutMounts(changes: readonly Change[], mounts: readonly Pick<StepMount, 'target'>[]): Change[] {
  const targets = mounts.map(({ target }) => target)
  const inMount = (path: string): boolean => targets.some((target) => path === target || path.startsWith(`${target}/`))
  const own = changes.filter(({ path }) => !inMount(path))
  return own.filter(({ path, kind }) => {
    const leadsToMount = targets.some((target) => target.startsWith(`${path}/`))
    return (
      kind === 'delete' || !leadsToMount || own.some((other) => other.path.startsWith(`${path}/`) && !leadsOnly(other))
    )
  })

  function leadsOnly({ path }: Change): boolean {
    return targets.some((target) => target.startsWith(`${path}/`))
  }
}

async function prepareMounts(
  step: RunStep,
  script: { path: string; text: string } | undefined,
  dir: string,
  directory: string,
): Promise<{ mounts: StepMount[]; variables: string[] }> {
  const mounts: StepMount[] = []
  const variables: string[] = []
  const workdir = step.config.WorkingDir || '/'
  for (const [index, wanted] of step.run.mounts.entries()) {
    if (wanted.type === 'ssh') {
      // An agent is reached through BuildKit's session, which the API version without BuildKit has not: there is none.
      if (wanted.required) throw new Error(`ssh ${wanted.id ?? 'default'}: not found`)
      continue
    }
    if (wanted.type === 'secret') {
      const { mount, variable } = mountSecret(wanted, step.secrets, join(dir, `secret-${index}`))
      if (mount !== undefined) mounts.push({ ...mount, target: posix.resolve('/', workdir, mount.target) })
      if (variable !== undefined) variables.push(variable)
      continue
    }
    const target = posix.resolve('/', workdir, wanted.target ?? '')
    if (wanted.type === 'tmpfs') {
      const options = wanted.size === undefined ? {} : { options: `size=${wanted.size}` }
      mounts.push({ type: 'tmpfs', source: '', target, readOnly: false, ...options })
    } else {
      const source =
        wanted.type === 'cache'
          ? await cacheDirectory(wanted, target, step, directory)
          : copyToHost((await step.mountSource(wanted.from)).view, wanted.source ?? '/', join(dir, `mount-${index}`))
      mounts.push({ type: 'bind', source, target, readOnly: wanted.readOnly })
    }
  }
  if (script) {
    const source = join(dir, 'script')
    writeFileSync(source, script.text)
    chmodSync(source, 0o755)
    mounts.push({ type: 'bind', source, target: script.path, readOnly: true })
  }
  return { mounts, variables }
}

/** Kept from build to build, shared by all that name the same id. */
async function cacheDirectory(mount: RunMount, target: string, step: RunStep, directory: string): Promise<string> {
  const name = createHash('sha256')
    .update(mount.id ?? target)
    .digest('hex')
    .slice(0, 32)
  const path = join(directory, 'cache-mounts', name)
  if (existsSync(path)) return path
  mkdirSync(dirname(path), { recursive: true })
  if (mount.from === undefined) mkdirSync(path)
  else copyToHost((await step.mountSource(mount.from)).view, mount.source ?? '/', path)
  chmodSync(path, mount.mode ?? 0o755)
  if (process.getuid?.() === 0) {
    const { uid, gid } = userNamespace().ownerOf({ uid: mount.uid ?? 0, gid: mount.gid ?? 0 })
    chownSync(path, uid, gid)
  }
  return path
}

function withPath(env: string[] = []): string[] {
  return envValue(env, 'PATH') === undefined ? [defaultPath, ...env] : env
}

/**
 * Characters that are split between two chunks of one stream are put together again. What goes to stderr is shown in
 * red, as Docker's builder does it, whoever reads it.
 */
function textDecoder(show: (text: string) => void): (stream: 'stdout' | 'stderr', chunk: Buffer) => void {
  const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() }
  return (stream, chunk) => {
    const text = decoders[stream].decode(chunk, { stream: true })
    if (text !== '') show(stream === 'stderr' ? `\u001b[91m${text}\u001b[0m` : text)
  }
}
