/**
 * ServiceAddresses: an interface `services` that carries the addresses of Services, so that a proxy in user space can
 * listen on them in the node's own network namespace. It leads nowhere: a bridge without ports, which every kernel has
 * that can have pods (upstream's ipvs proxier uses a `dummy`, which not every kernel has).
 *
 * Callers may rely on: set() is idempotent, and takes over what an earlier process left.
 */

import { runCommand } from '../run-command.ts'
import type { Addresses } from './userspace-proxier.ts'

const device = 'services'

export class ServiceAddresses implements Addresses {
  /** `ip`, or a command that runs it in another network namespace. */
  readonly #command: string[]
  #present: Set<string> | undefined
  #last: Promise<void> = Promise.resolve()

  constructor(command = ['ip']) {
    this.#command = command
  }

  set(addresses: ReadonlySet<string>): Promise<void> {
    const change = this.#last.then(() => this.#change(addresses))
    // Whoever asked for this change hears of its failure.
    this.#last = change.catch(() => undefined)
    return change
  }

  async #change(wanted: ReadonlySet<string>): Promise<void> {
    const present = this.#present ?? (await this.#find())
    // If the commands fail half-way nobody knows what is there, and the next change has to look.
    this.#present = undefined
    const commands = addressCommands(present, wanted)
    if (commands.length > 0) await this.#ip(['-batch', '-'], commands.join('\n'))
    this.#present = new Set(wanted)
  }

  async #find(): Promise<Set<string>> {
    const links = JSON.parse(await this.#ip(['-j', 'address', 'show'])) as Link[]
    const link = links.find(({ ifname }) => ifname === device)
    if (link) return new Set(link.addr_info.flatMap(({ family, local }) => (family === 'inet' ? [local] : [])))
    await this.#ip(['-batch', '-'], `link add ${device} type bridge\nlink set ${device} up\n`)
    return new Set()
  }

  #ip(args: string[], input = ''): Promise<string> {
    return runCommand([...this.#command, ...args], input)
  }
}

interface Link {
  ifname: string
  addr_info: { family: string; local: string }[]
}

/** What `ip -batch` is told. Pure. */
export function addressCommands(present: ReadonlySet<string>, wanted: ReadonlySet<string>): string[] {
  const added = [...wanted].filter((address) => !present.has(address))
  const removed = [...present].filter((address) => !wanted.has(address))
  return [
    ...added.map((address) => `address add ${address}/32 dev ${device}`),
    ...removed.map((address) => `address delete ${address}/32 dev ${device}`),
  ]
}
