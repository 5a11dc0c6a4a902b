/**
 * KernelTable: makes the kernel's table like a Ruleset, one `nft -f -` a change, and notices when somebody took it
 * away.
 *
 * Callers may rely on: a write is a transaction, and if it is refused nothing has changed and the next one writes
 * everything. Writes must not overlap. What an earlier process has written is taken over, not thrown away.
 */

import { CommandError, runCommand } from '../run-command.ts'
import { change, rewrite, type Ruleset, type TableNames } from './ruleset.ts'

export class KernelTable {
  readonly name: string
  /** `nft`, or a command that runs it in another network namespace. */
  readonly #command: string[]
  /** What was written last; undefined when it is not known. */
  #written: Ruleset | undefined

  constructor(name: string, command = ['nft']) {
    this.name = name
    this.#command = command
  }

  async write(next: Ruleset): Promise<void> {
    const before = this.#written
    this.#written = undefined
    if (before) {
      const commands = change(this.name, before, next)
      if (commands !== '') await this.#nft(['-f', '-'], commands)
    } else await this.#rewrite(next)
    this.#written = next
  }

  async #rewrite(next: Ruleset): Promise<void> {
    try {
      await this.#nft(['-f', '-'], rewrite(this.name, await this.#names(), next))
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      // What is there cannot become what is wanted: a base chain of another version, say. Then from nothing.
      await this.#nft(['-f', '-'], `${this.#removal()}${rewrite(this.name, { chains: [], sets: [] }, next)}`)
    }
  }

  /** Whether the kernel's table still has all chains that were written; if not, the next write writes everything. */
  async isWhole(): Promise<boolean> {
    const chains = entriesOf(await this.#nft(['-j', 'list', 'chains', 'ip']))
    const names = new Set(chains.flatMap(({ chain }) => (chain?.table === this.name ? [chain.name] : [])))
    const isWhole = [...(this.#written?.chains.keys() ?? [])].every((name) => names.has(name))
    if (!isWhole) this.#written = undefined
    return isWhole
  }

  async remove(): Promise<void> {
    this.#written = undefined
    await this.#nft(['-f', '-'], this.#removal())
  }

  /** Naming the table first makes deleting it no error when it is not there. */
  #removal(): string {
    return `add table ip ${this.name}\ndelete table ip ${this.name}\n`
  }

  async #names(): Promise<TableNames> {
    const tables = await this.#nft(['-j', 'list', 'tables', 'ip'])
    if (!entriesOf(tables).some(({ table }) => table?.name === this.name)) return { chains: [], sets: [] }
    const entries = entriesOf(await this.#nft(['-j', '-t', 'list', 'table', 'ip', this.name]))
    return {
      chains: entries.flatMap(({ chain }) => (chain ? [chain.name] : [])),
      sets: entries.flatMap(({ set, map }) => [
        ...(set ? [{ name: set.name, kind: 'set' as const }] : []),
        ...(map ? [{ name: map.name, kind: 'map' as const }] : []),
      ]),
    }
  }

  #nft(args: string[], input = ''): Promise<string> {
    return runCommand([...this.#command, ...args], input)
  }
}

interface Entry {
  table?: { name: string }
  chain?: { name: string; table: string }
  set?: { name: string }
  map?: { name: string }
}

function entriesOf(json: string): Entry[] {
  return (JSON.parse(json) as { nftables: Entry[] }).nftables
}
