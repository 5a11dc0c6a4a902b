/**
 * The machines of a cluster in machines mode: makes switch, nodes and cables, finds them again after everything was
 * killed, and takes them away. Thin: what is done is in plan.ts and script.ts.
 *
 * A namespace is held by a file that it is mounted on, below the state directory. So it outlives every process, and
 * goes with a reboot, which leaves an ordinary file.
 */

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { machineLink } from '../cluster/addresses.ts'
import { numbered } from '../cluster/nodes.ts'
import type { ClusterConfig, StateDir } from '../cluster/state-dir.ts'
import { type FirewallTool, masqueradeScript, unmasqueradeScript } from './masquerade.ts'
import { failuresIn } from './plan.ts'
import {
  cablesScript,
  delayScript,
  forgetScript,
  hastenScript,
  makeScript,
  releaseScript,
  unplugScript,
} from './script.ts'
import { hasTool, runScript } from '@dinghy/shared/process/shell'

/** The type of the file system that such files are of: NSFS_MAGIC of linux/magic.h. */
const namespaceFileSystem = 0x6e_73_66_73
const forwarding = '/proc/sys/net/ipv4/ip_forward'

export class Machines {
  readonly #config: ClusterConfig
  readonly #directory: string
  /** One script after the other: what is being made cannot be taken away. */
  #turn: Promise<unknown> = Promise.resolve()

  /** `config` is the supervisor's, which changes as nodes are stopped, cut and added. */
  constructor(config: ClusterConfig, state: StateDir) {
    this.#config = config
    this.#directory = state.machines
  }

  /**
   * Everything that is there already stays as it is. Resolves to why nodes and pods cannot reach beyond the cluster, if
   * they cannot.
   */
  async make(): Promise<string | undefined> {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 })
    return await this.#next(async () => {
      const making = this.#act(makeScript(this.#config, (name) => holdsNamespace(join(this.#directory, name))))
      const [warning] = await Promise.all([this.#openWayOut(), making])
      return warning
    })
  }

  async #openWayOut(): Promise<string | undefined> {
    if (this.#config.rootless) return "an ordinary user's pods reach no address beyond the cluster"
    const tool = firewallTool()
    if (tool === undefined) return 'neither nft nor iptables is installed, so pods reach no address beyond the cluster'
    // As Docker does it, and leaves it: others may rely on it by the time we go.
    if (readFileSync(forwarding, 'utf8').trim() === '0') writeFileSync(forwarding, '1')
    await this.#act(masqueradeScript(tool, this.#config.slot))
    return undefined
  }

  /** Pulls and plugs the cables as the configuration has it. */
  async plugCables(): Promise<void> {
    await this.#next(() => this.#act(cablesScript(this.#config)))
  }

  /** Late as the configuration has it. Throws where the kernel cannot do that. */
  async delay(): Promise<void> {
    if (!hasTool('tc')) throw new Error('a delay needs the program tc (iproute2)')
    await this.#next(() => this.#act(delayScript(this.#config))).catch((error: Error) => {
      throw error.message.includes('qdisc kind is unknown')
        ? new Error('this kernel has no netem, which delays packets')
        : error
    })
  }

  async hasten(node: string): Promise<void> {
    await this.#next(() => this.#act(hastenScript(this.#numberOf(node))))
  }

  /** Power off: the node's network is gone at once, whatever still lives in it. */
  async takeAway(node: string): Promise<void> {
    const script = unplugScript(this.#config, node, this.#numberOf(node))
    await this.#next(async () => {
      if (holdsNamespace(join(this.#directory, node))) await this.#act(script)
    })
  }

  /** Of a node that there will not be any more: where its pods were, nobody is sent. */
  async forget(podCidr: string): Promise<void> {
    await this.#next(() => this.#act(forgetScript(this.#config, podCidr)))
  }

  /** All of it; nothing is left of the cluster on this machine's network. */
  async remove(): Promise<void> {
    const { slot, rootless } = this.#config
    await this.#next(() => removeMachines(this.#directory, rootless ? undefined : slot))
  }

  #next<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(act, act)
    this.#turn = turn
    return turn
  }

  #numberOf(name: string): number {
    return numbered(this.#config.nodes).find((node) => node.name === name)?.number ?? 0
  }

  async #act(script: string): Promise<void> {
    await act(script, this.#directory)
  }
}

/** By what there is, so that it also does for a cluster whose configuration is lost: then its slot is not known. */
export async function removeMachines(directory: string, slot?: number): Promise<void> {
  if (!existsSync(directory)) return
  const held = readdirSync(directory).filter((name) => holdsNamespace(join(directory, name)))
  const link = slot === undefined ? '' : `ip link del ${machineLink(slot)} 2>/dev/null\n`
  const tool = firewallTool()
  const firewall = slot === undefined || tool === undefined ? '' : unmasqueradeScript(tool, slot)
  await act(link + releaseScript(held) + firewall, directory)
  rmSync(directory, { recursive: true, force: true })
}

function firewallTool(): FirewallTool | undefined {
  return (['nft', 'iptables'] as const).find(hasTool)
}

async function act(script: string, directory: string): Promise<void> {
  if (script === '') return
  const { code, stderr } = await runScript(script, directory)
  const failures = failuresIn(stderr)
  if (failures.length > 0)
    throw new Error(`the cluster's network cannot be made as it should be: ${failures.join('; ')}`)
  if (code === null) throw new Error("the cluster's network was not made: the shell was killed")
}

/** After a reboot the file is there, and empty. */
export function holdsNamespace(path: string): boolean {
  return existsSync(path) && statfsSync(path).type === namespaceFileSystem
}
