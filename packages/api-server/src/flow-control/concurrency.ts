/**
 * How the seats of the server are shared by the priority levels: each has its nominal part, by its shares; it lends
 * some percent of it to others as long as it does not need them itself. Pure.
 *
 * Where it differs: upstream shares anew every ten seconds, by what the levels wanted in the last ones; here a level
 * borrows what is idle at the moment when it needs it, and gives it back as its requests end.
 */

export interface Level {
  /** Seats by its shares. */
  nominal: number
  lendable: number
  /** The most it may borrow. */
  borrowable: number
  seatsInUse: number
}

export interface Shares {
  shares: number
  lendablePercent: number
  borrowingLimitPercent: number | undefined
}

export function seatsOf({ shares, lendablePercent, borrowingLimitPercent }: Shares, allShares: number, seats: number) {
  const nominal = allShares === 0 ? 0 : Math.ceil((seats * shares) / allShares)
  return {
    nominal,
    lendable: Math.round((nominal * lendablePercent) / 100),
    borrowable: borrowingLimitPercent === undefined ? Infinity : Math.round((nominal * borrowingLimitPercent) / 100),
  }
}

/** How many seats a level may use now. */
export function currentLimit(level: Level, all: Iterable<Level>): number {
  // Nobody has to look at the others as long as the own seats do.
  if (level.seatsInUse < level.nominal - level.lendable) return level.nominal
  let lent = 0
  let idle = 0
  for (const other of all) {
    lent += Math.max(0, other.seatsInUse - other.nominal)
    if (other !== level) idle += Math.min(other.lendable, Math.max(0, other.nominal - other.seatsInUse))
  }
  const own = Math.max(0, level.seatsInUse - level.nominal)
  const borrowed = Math.min(level.borrowable, Math.max(own, idle - (lent - own)))
  return level.nominal + borrowed
}
