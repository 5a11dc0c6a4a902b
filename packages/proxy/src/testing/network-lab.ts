/**
 * NetworkLab: a node, its pods and a machine outside, as network namespaces of their own, for tests that want to see
 * real packets. For root on Linux with `ip` and `nft`.
 *
 *   outside 172.30.9.1 ══ eth0 172.30.9.11  node  10.244.1.1 ══ eth0 10.244.1.2, .3, … pods
 *
 * Pods are plugged in point to point, as the node agent does it, so that all they say is routed by the node.
 */

import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

/** Why there can be none here; undefined when there can. */
export function labMissing(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'needs root on Linux'
  const missing = ['ip', 'nft', 'nsenter'].filter((program) => spawnSync('which', [program]).status !== 0)
  return missing.length > 0 ? `needs ${missing.join(', ')}` : undefined
}

export const clusterCidr = '10.244.0.0/16'
export const nodeAddress = '172.30.9.11'
export const outsideAddress = '172.30.9.1'

const server = join(import.meta.dirname, 'lab-server.cjs')
const client = join(import.meta.dirname, 'lab-client.cjs')

let labs = 0

export class NetworkLab {
  /** Other processes have labs, too. */
  readonly #prefix: string
  readonly #children: ChildProcess[] = []
  readonly #names: string[] = []

  constructor() {
    labs += 1
    this.#prefix = `dg${process.pid}l${labs}`
    this.#namespace('node')
    this.#namespace('out')
    const [node, out] = [this.name('node'), this.name('out')]
    run('ip', ['link', 'add', 'eth0', 'netns', node, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', out])
    batch(node, [`addr add ${nodeAddress}/24 dev eth0`, 'link set eth0 up', `route add default via ${outsideAddress}`])
    batch(out, [
      `addr add ${outsideAddress}/24 dev eth0`,
      'link set eth0 up',
      `route add 10.244.0.0/16 via ${nodeAddress}`,
      `route add 10.96.0.0/16 via ${nodeAddress}`,
      `route add 172.30.9.200/32 via ${nodeAddress}`,
    ])
    const settings = ['ipv4/ip_forward=1', 'ipv4/conf/all/send_redirects=0', 'ipv4/conf/default/send_redirects=0']
    const write = settings.map((one) => {
      const [file = '', value = ''] = one.split('=')
      return `echo ${value} > /proc/sys/net/${file}`
    })
    run('ip', ['netns', 'exec', node, 'sh', '-ec', write.join('\n')])
  }

  /** The name of a namespace, for `ip -n` and `ip netns exec`. */
  name(of: string): string {
    return `${this.#prefix}-${of}`
  }

  /** A command that runs another one at this place. */
  at(of: string): [string, ...string[]] {
    return ['nsenter', `--net=/run/netns/${this.name(of)}`]
  }

  /** A pod with the address 10.244.1.`index`. */
  addPod(name: string, index: number): void {
    this.#namespace(name)
    const cable = `${this.#prefix}v${index}`
    const [node, pod] = [this.name('node'), this.name(name)]
    run('ip', ['link', 'add', cable, 'netns', node, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', pod])
    batch(this.name('node'), [
      `addr add 10.244.1.1/32 dev ${cable}`,
      `link set ${cable} up`,
      `route add 10.244.1.${index}/32 dev ${cable}`,
    ])
    batch(this.name(name), [
      `addr add 10.244.1.${index}/32 dev eth0`,
      'link set eth0 up',
      'route add 10.244.1.1 dev eth0 scope link',
      'route add default via 10.244.1.1',
    ])
  }

  /** Starts a server there at ports such as "t8080" (TCP) and "u53" (UDP). */
  async serve(at: string, ...ports: string[]): Promise<void> {
    const [program, ...words] = [...this.at(at), process.execPath, server, at, ...ports]
    const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#children.push(child)
    await once(child.stdout, 'data')
  }

  /** What is heard, each time, by whoever asks from there: "NAME saw ADDRESS", "refused", "dropped". */
  async ask(from: string, to: string, { times = 1, protocol = 'tcp', localPort = 0 } = {}): Promise<string[]> {
    const [host = '', port = ''] = to.split(':')
    const wishes = [protocol, host, port, String(times), localPort ? String(localPort) : '']
    const [program, ...words] = [...this.at(from), process.execPath, client, ...wishes]
    const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'inherit'] })
    let heard = ''
    child.stdout.on('data', (piece: Buffer) => (heard += piece.toString()))
    await once(child, 'close')
    return JSON.parse(heard) as string[]
  }

  async close(): Promise<void> {
    await Promise.all(
      this.#children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return
        child.kill('SIGKILL')
        await once(child, 'close')
      }),
    )
    for (const name of this.#names) run('ip', ['netns', 'delete', name])
  }

  #namespace(of: string): void {
    run('ip', ['netns', 'add', this.name(of)])
    this.#names.push(this.name(of))
    batch(this.name(of), ['link set lo up'])
  }
}

function batch(namespace: string, commands: string[]): void {
  run('ip', ['-n', namespace, '-batch', '-'], commands.join('\n'))
}

function run(program: string, args: string[], input = ''): void {
  const { status, stderr } = spawnSync(program, args, { input, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`)
}
