/**
 * A real cluster for end-to-end tests: the built processes, on free ports, in a temporary state directory, cleaned up
 * afterwards. Tests drive it as people do: through `dinghy`, kubectl and docker, and through independent clients.
 */

import { spawnSync } from 'node:child_process'
import { chownSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { CoreV1Api, AppsV1Api, KubeConfig } from '@kubernetes/client-node'
import Docker from 'dockerode'
import { Agent, fetch, type RequestInit, type Response } from 'undici'
import type { User } from './runtime.ts'

export const root = resolve(import.meta.dirname, '../../..')
const dinghyBin = join(root, 'packages/cli/bin/dinghy.mjs')

export interface Output {
  code: number
  stdout: string
  stderr: string
}

export interface Status {
  cluster: string
  ready: boolean
  slot: number
  components: { name: string; pid: number; ready: boolean }[]
  kubeconfig: string
  dockerHost: string
}

export function isInstalled(command: string): boolean {
  return spawnSync(command, ['--version']).error === undefined
}

export class Cluster {
  readonly stateDir = mkdtempSync(join(tmpdir(), 'dinghy-test-'))
  readonly #nodes: number
  readonly #user: User | undefined
  readonly #flags: string[]

  /** `user` runs the cluster, if that is another than who runs the tests; `flags` are further ones of `up`. */
  constructor(nodes = 3, user?: User, flags: string[] = []) {
    this.#nodes = nodes
    this.#user = user
    this.#flags = flags
    if (user) chownSync(this.stateDir, user.uid, user.gid)
  }

  /** `options` for this start alone. */
  up(...options: string[]): void {
    // No test asks a name server of this machine; an ordinary user's cluster has no DNS at all.
    const hasDns = !this.#user && process.getuid?.() === 0
    const settings = hasDns ? ['--set', 'dns.resolv-conf='] : []
    const words = [...settings, ...this.#flags, ...options]
    const { code, stderr } = this.dinghy('up', '--detach', '--nodes', String(this.#nodes), ...words)
    if (code !== 0) throw new Error(`dinghy up ended with ${code}: ${stderr}\n${this.logTail('supervisor')}`)
  }

  /** Stops everything and removes the state directory. */
  destroy(): void {
    this.dinghy('down', '--wipe')
    rmSync(this.stateDir, { recursive: true, force: true })
  }

  status(): Status {
    return JSON.parse(this.dinghy('status', '-o', 'json').stdout) as Status
  }

  pid(component: string): number {
    const found = this.status().components.find(({ name }) => name === component)
    if (!found) throw new Error(`no component ${component}`)
    return found.pid
  }

  dinghy(...args: string[]): Output {
    const [verb = '', ...rest] = args
    const own = verb === 'kubectl' || verb === 'docker' ? [] : ['--state-dir', this.stateDir]
    return call(process.execPath, [dinghyBin, verb, ...own, ...rest], this.env, undefined, this.#user)
  }

  /** The real kubectl where there is one, our small one otherwise. */
  kubectl(args: string[], input?: string): Output {
    return isInstalled('kubectl')
      ? call('kubectl', args, this.env, input, this.#user)
      : call(process.execPath, [dinghyBin, 'kubectl', ...args], this.env, input, this.#user)
  }

  docker(args: string[], input?: string): Output {
    return isInstalled('docker')
      ? call('docker', args, this.env, input, this.#user)
      : call(process.execPath, [dinghyBin, 'docker', ...args], this.env, input, this.#user)
  }

  /** An independent Kubernetes client. */
  get core(): CoreV1Api {
    return this.#kubeConfig().makeApiClient(CoreV1Api)
  }

  get apps(): AppsV1Api {
    return this.#kubeConfig().makeApiClient(AppsV1Api)
  }

  /** Any request to the API server, as the administrator unless it brings a token, or nothing at all. */
  async fetch(
    path: string,
    { as = 'admin', ...init }: RequestInit & { as?: 'admin' | 'nobody' } = {},
  ): Promise<Response> {
    const config = this.#kubeConfig()
    const decode = (data = '') => Buffer.from(data, 'base64').toString()
    const { server = '', caData } = config.getCurrentCluster() ?? {}
    const { certData, keyData } = config.getCurrentUser() ?? {}
    const hasToken = new Headers(init.headers as Record<string, string>).has('authorization')
    const identity = hasToken || as === 'nobody' ? {} : { cert: decode(certData), key: decode(keyData) }
    const dispatcher = new Agent({ connect: { ca: decode(caData), ...identity } })
    return await fetch(server + path, { ...init, dispatcher })
  }

  /** An independent Docker client. */
  get engine(): Docker {
    return new Docker({ socketPath: this.#dockerHost().slice('unix://'.length) })
  }

  logTail(component: string, lines = 20): string {
    return readFileSync(join(this.stateDir, 'logs', `${component}.log`), 'utf8')
      .split('\n')
      .slice(-lines)
      .join('\n')
  }

  get env(): NodeJS.ProcessEnv {
    // A home of its own: kubectl keeps what it discovered below it, docker its configuration.
    return {
      ...process.env,
      HOME: this.stateDir,
      KUBECONFIG: join(this.stateDir, 'kubeconfig'),
      DOCKER_HOST: this.#dockerHost(),
      DOCKER_BUILDKIT: '0',
    }
  }

  #dockerHost(): string {
    const args = [dinghyBin, 'env', '--state-dir', this.stateDir]
    const { stdout } = call(process.execPath, args, process.env, undefined, this.#user)
    return /DOCKER_HOST='?([^'\n]+)'?/.exec(stdout)?.[1] ?? ''
  }

  #kubeConfig(): KubeConfig {
    const config = new KubeConfig()
    config.loadFromFile(join(this.stateDir, 'kubeconfig'))
    return config
  }
}

function call(command: string, args: string[], env: NodeJS.ProcessEnv, input?: string, user?: User): Output {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    ...user,
    env,
    cwd: root,
    encoding: 'utf8',
    timeout: 90_000,
    maxBuffer: 64 << 20,
    ...(input !== undefined ? { input } : {}),
  })
  if (error) throw error
  return { code: status ?? -1, stdout, stderr }
}

/** Polls until `condition` returns something truthy; throws with what it last saw. */
export async function until<T>(
  what: string,
  condition: () => Promise<T> | T,
  patienceMs = 60_000,
): Promise<Exclude<T, Falsy>> {
  const giveUpAt = Date.now() + patienceMs
  let last: unknown
  for (;;) {
    try {
      const value = await condition()
      if (value) return value as Exclude<T, Falsy>
      last = value
    } catch (error) {
      last = error
    }
    if (Date.now() > giveUpAt)
      throw new Error(`gave up waiting for ${what}; last seen: ${String(last)}`, { cause: last })
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

type Falsy = false | undefined | null | 0 | ''
