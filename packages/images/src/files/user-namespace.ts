/**
 * Which users there are for this runtime: all of the machine's, if root started it, or those of the user namespace in
 * which drivers/linux/rootless.sh has made an ordinary user root.
 *
 * Most of the runtime need not know: it is root, of something. What is different is that ids which are not mapped do
 * not exist, neither as owners of files nor as users of processes, and that the kernel lets this root mount and make
 * less.
 */
import { readFileSync } from 'node:fs'

interface IdRange {
  first: number
  count: number
}

export class UserNamespace {
  readonly #uids: IdRange[]
  readonly #gids: IdRange[]
  /** Processes may choose their supplementary groups; without a map made by newgidmap they keep this user's. */
  readonly canSetGroups: boolean

  constructor(uidMap: string, gidMap: string, setgroups: string) {
    this.#uids = parseIdMap(uidMap)
    this.#gids = parseIdMap(gidMap)
    this.canSetGroups = setgroups.trim() !== 'deny'
  }

  /** The namespace that this process lives in. */
  static own(): UserNamespace {
    const read = (file: string) => (process.platform === 'linux' ? readFileSync(`/proc/self/${file}`, 'utf8') : allIds)
    return new UserNamespace(read('uid_map'), read('gid_map'), read('setgroups'))
  }

  /** Not the machine's own namespace. */
  get isNested(): boolean {
    return ![this.#uids, this.#gids].every((ranges) =>
      ranges.some(({ first, count }) => first === 0 && count >= everyId),
    )
  }

  /** There is nobody but root. */
  get hasOneUser(): boolean {
    return this.#uids.reduce((sum, { count }) => sum + count, 0) <= 1
  }

  hasUser(uid: number): boolean {
    return includes(this.#uids, uid)
  }

  hasGroup(gid: number): boolean {
    return includes(this.#gids, gid)
  }

  /** Who is to own a file that belongs to these by right: where there is only one user, everything is root's. */
  ownerOf({ uid, gid }: { uid: number; gid: number }): { uid: number; gid: number } {
    return this.hasOneUser ? { uid: 0, gid: 0 } : { uid, gid }
  }
}

const everyId = 2 ** 32 - 1
const allIds = `0 0 ${everyId}\n`

/** Lines of "first id here, first id outside, how many". */
function parseIdMap(text: string): IdRange[] {
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([first, , count]) => (first === undefined || count === undefined ? [] : [{ first, count }]))
}

function includes(ranges: IdRange[], id: number): boolean {
  return ranges.some(({ first, count }) => id >= first && id < first + count)
}

let own: UserNamespace | undefined
/** Read once: a process of several threads never changes its user namespace. */
export function userNamespace(): UserNamespace {
  own ??= UserNamespace.own()
  return own
}

/** Whether this process may do what belongs to the machine: its network, its cgroups, its devices. */
export function isMachineRoot(): boolean {
  return process.getuid?.() === 0 && !userNamespace().isNested
}
