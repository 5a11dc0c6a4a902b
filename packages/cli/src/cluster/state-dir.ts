// Where a cluster lives on disk, and the one small file that says what it is.
//
// Everything a cluster knows stands below one directory, $XDG_STATE_HOME/dinghy/<cluster>, so that copying it copies the
// cluster and removing it forgets the cluster. `cluster.json` holds only what must stay the same from one `up` to the
// next: the address slot (Services and pods have it in their stored addresses), the API port (kubeconfig has it) and
// the nodes.

import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

export interface NodeConfig {
  name: string
  /** Stopped by `dinghy node stop`: it stays down over the next `up` too. */
  stopped?: boolean
}

export interface ClusterConfig {
  cluster: string
  /** Which 127.x range this cluster's nodes, pods and Services have; see slot.ts. */
  slot: number
  apiPort: number
  nodes: NodeConfig[]
  driver: string
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
  get runtimeRoot(): string {
    return join(this.root, 'runtime')
  }
  get dockerSocket(): string {
    return this.#socket('docker.sock')
  }
  get supervisorSocket(): string {
    return this.#socket('supervisor.sock')
  }
  log(component: string): string {
    return join(this.root, 'logs', `${component}.log`)
  }
  runFile(component: string): string {
    return join(this.root, 'run', `${component}.json`)
  }
  nodeRoot(node: string): string {
    return join(this.root, 'nodes', node)
  }

  create(): void {
    for (const directory of ['logs', 'run', 'nodes', 'runtime']) {
      mkdirSync(join(this.root, directory), { recursive: true, mode: 0o700 })
    }
    mkdirSync(resolve(this.supervisorSocket, '..'), { recursive: true, mode: 0o700 })
  }

  readConfig(): ClusterConfig | undefined {
    try {
      return JSON.parse(readFileSync(this.config, 'utf8')) as ClusterConfig
    } catch (error) {
      // No file is the ordinary state before the first `up`; anything else (a broken file) must be seen.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
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
    return join(tmpdir(), `dinghy-${short}`, name)
  }
}

export const clusterNamePattern = /^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/
