/**
 * Where a cluster lives on disk, and the one small file that says what it is.
 *
 * Everything a cluster knows stands below one directory, $XDG_STATE_HOME/dinghy/<cluster>, so that copying it copies
 * the cluster and removing it forgets the cluster. `cluster.json` holds only what must stay the same from one `up` to
 * the next: the address slot (Services and pods have it in their stored addresses), the API port (kubeconfig has it)
 * and the nodes.
 */

import { createHash } from 'node:crypto'
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import type { NetworkMode } from './addresses.ts'
import type { Settings } from './settings.ts'
import { removeTree } from '@dinghy/shared/process/remove-tree'

export interface NodeConfig {
  name: string
  /** Which addresses it has; its place in the list if nothing is said (nodes.ts). */
  number?: number
  /** Stopped by `dinghy node stop`: it stays down over the next `up` too. */
  stopped?: boolean
  /** `dinghy node cut`: its cable is pulled. */
  cut?: boolean
  /** `dinghy node delay`: what goes to it is late by this, as `tc` writes it. */
  delay?: string
}

export interface ClusterConfig {
  cluster: string
  /** Which addresses this cluster's nodes, pods and Services have; see addresses.ts. */
  slot: number
  /** Decided at the first `up`. Clusters from before there were machines have none: theirs is loopback. */
  network?: NetworkMode
  apiPort: number
  nodes: NodeConfig[]
  driver: string
  /** Whether there is a DNS server: programs ask port 53, and not everybody may listen there (low-ports.ts). */
  dns?: boolean
  /** An ordinary user's machines: what they have for the machine is a namespace, too (machines/user-namespace.ts). */
  rootless?: boolean
  /** Whether its ingress may listen on ports 80 and 443 (low-ports.ts), and not on 8080 and 8443 alone. */
  lowPorts?: boolean
  /** Whether `nft` is installed, by which nodes that are machines forward Services. */
  nft?: boolean
  /** Flags of the components, from `--set` and dinghy.yaml. */
  settings?: Settings
  logLevel?: string
}

/** Every path of one cluster. Pure: nothing is created or read. */
export class StateDir {
  readonly root: string

  constructor(root: string) {
    this.root = resolve(root)
  }

  /** The directory that `--state-dir` names, or the user's state home. */
  static of(cluster: string, stateDir: string | undefined, env: NodeJS.ProcessEnv = process.env): StateDir {
    const home = env['XDG_STATE_HOME'] || join(homedir(), '.local', 'state')
    return new StateDir(stateDir ?? join(home, 'dinghy', cluster))
  }

  get config(): string {
    return join(this.root, 'cluster.json')
  }
  get kubeconfig(): string {
    return join(this.root, 'kubeconfig')
  }
  get database(): string {
    return join(this.root, 'state.db')
  }
  /** Certificates and keys of the whole cluster; pki.ts says which. */
  get pki(): string {
    return join(this.root, 'pki')
  }
  kubeletPki(node: string): string {
    return join(this.nodeRoot(node), 'pki')
  }
  /** The kubeconfig of a component: where it finds the API server, and who it is there. */
  identity(name: string): string {
    return join(this.root, 'identities', `${name}.conf`)
  }
  /** Where clusters of earlier versions have the key that now is pki/sa.key. */
  get formerSigningKey(): string {
    return join(this.root, 'service-account.key')
  }
  get runtimeRoot(): string {
    return join(this.root, 'runtime')
  }
  get dockerSocket(): string {
    return this.#socket('docker.sock')
  }
  /** The API server, for whoever may open this file: its administrator. */
  get adminSocket(): string {
    return this.#socket('kubernetes-admin.sock')
  }
  /** The same for an ApiClient. */
  get adminUrl(): string {
    return `unix://${this.adminSocket}`
  }
  /** The API server as its clients know it, for the gateway that leads there from another network. */
  get apiServerSocket(): string {
    return this.#socket('kubernetes.sock')
  }
  /** By which the gateway reaches into the network of a node. */
  dialSocket(node: string): string {
    return this.#socket(join('run', `proxy-${node}.sock`))
  }
  get supervisorSocket(): string {
    return this.#socket('supervisor.sock')
  }
  get supervisorPid(): string {
    return join(this.root, 'supervisor.pid')
  }
  /** Files that hold the network namespaces of nodes that are machines. */
  get machines(): string {
    return join(this.root, 'machines')
  }
  /** Where a component that has a network of its own serves health and debugging. */
  debugSocket(component: string): string {
    return this.#socket(join('run', `${component}.debug.sock`))
  }
  log(component: string): string {
    return join(this.root, 'logs', `${component}.log`)
  }
  runFile(component: string): string {
    return join(this.root, 'run', `${component}.json`)
  }
  /** Copies of the stopped cluster; beside it, so that `down --wipe` leaves them. */
  snapshot(name: string): string {
    return join(`${this.root}.snapshots`, name)
  }
  nodeRoot(node: string): string {
    return join(this.root, 'nodes', node)
  }

  /**
   * Makes the directories; an error says which place cannot be written, and why. Other things may lie in the same
   * directory, but nothing that has one of our names: `down --wipe` would take it away.
   */
  create(): void {
    accessSync(nearestExisting(this.root), constants.W_OK)
    const isClusters = existsSync(this.config) || existsSync(join(this.root, marker))
    const clash = isClusters ? undefined : namesakeIn(this.root)
    if (clash !== undefined) {
      throw new Error(`${join(this.root, clash)} is there already, and no cluster's; name another --state-dir`)
    }
    for (const directory of directories) {
      mkdirSync(join(this.root, directory), { recursive: true, mode: 0o700 })
    }
    writeFileSync(join(this.root, marker), '')
    mkdirSync(resolve(this.supervisorSocket, '..'), { recursive: true, mode: 0o700 })
  }

  /** Removes what a cluster has made here, and the directory if nothing else lies in it; says what does. */
  async wipe(): Promise<string[]> {
    const entries = readdirSync(this.root)
    for (const entry of entries.filter(isOurs)) await removeTree(join(this.root, entry))
    const sockets = dirname(this.dockerSocket)
    if (sockets !== this.root) rmSync(sockets, { recursive: true, force: true })
    const others = entries.filter((entry) => !isOurs(entry))
    if (others.length === 0) rmdirSync(this.root)
    return others
  }

  readConfig(): ClusterConfig | undefined {
    try {
      const config: unknown = JSON.parse(readFileSync(this.config, 'utf8'))
      if (isClusterConfig(config)) return config
    } catch (error) {
      // No file is the ordinary state before the first `up`.
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined
      if (!(error instanceof SyntaxError)) throw error
    }
    throw new DamagedConfig(this.config)
  }

  writeConfig(config: ClusterConfig): void {
    const temporary = `${this.config}.tmp`
    writeFileSync(temporary, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 })
    renameSync(temporary, this.config)
  }

  // The kernel's limit for a unix socket's path is 108 bytes (104 on macOS): a deep state directory gets its sockets
  // in the temporary directory, under a name that only this state directory leads to.
  #socket(name: string): string {
    const path = join(this.root, name)
    if (Buffer.byteLength(path) < 100) return path
    const short = createHash('sha256').update(this.root).digest('hex').slice(0, 16)
    return join(tmpdir(), `dinghy-${short}`, name.replaceAll('/', '-'))
  }
}

export class DamagedConfig extends Error {
  constructor(path: string) {
    super(`${path} is damaged; mend it, or forget the cluster with \`dinghy down --wipe\``)
  }
}

function isClusterConfig(value: unknown): value is ClusterConfig {
  const { cluster, slot, apiPort, nodes, driver } = (value ?? {}) as Partial<Record<keyof ClusterConfig, unknown>>
  return (
    typeof cluster === 'string' &&
    Number.isInteger(slot) &&
    Number.isInteger(apiPort) &&
    typeof driver === 'string' &&
    Array.isArray(nodes) &&
    nodes.every((node: Partial<NodeConfig> | null) => typeof node?.name === 'string')
  )
}

/** Says that what has our names in here is a cluster's, before there is a cluster.json. */
const marker = '.dinghy'
const directories = ['logs', 'run', 'nodes', 'runtime']
const names = [
  marker,
  ...directories,
  'machines',
  'volumes',
  'pki',
  'identities',
  'cluster.json',
  'kubeconfig',
  'state.db',
  'service-account.key',
  'encryption.key',
  'docker.sock',
  'kubernetes-admin.sock',
  'kubernetes.sock',
  'supervisor.sock',
  'supervisor.pid',
]

/** Also what is written beside such a file: state.db-wal, cluster.json.tmp. */
function isOurs(entry: string): boolean {
  return names.some((name) => entry === name || entry.startsWith(`${name}-`) || entry.startsWith(`${name}.`))
}

function namesakeIn(root: string): string | undefined {
  return existsSync(root) ? readdirSync(root).find(isOurs) : undefined
}

function nearestExisting(path: string): string {
  return existsSync(path) ? path : nearestExisting(dirname(path))
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code
}

export const clusterNamePattern = /^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/
