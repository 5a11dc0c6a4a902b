/** Sets of completion indexes, as Indexed Jobs write them: "0,2-5,9". Pure. Two in a row stay two: "1,2", not "1-2". */

export function parseIndexes(text: string | undefined): Set<number> {
  const indexes = new Set<number>()
  for (const part of (text ?? '').split(',')) {
    if (part === '') continue
    const [first = NaN, last = first] = part.split('-').map(Number)
    for (let index = first; index <= last; index++) indexes.add(index)
  }
  return indexes
}

export function formatIndexes(indexes: Iterable<number>): string {
  const runs: [number, number][] = []
  for (const index of [...indexes].sort((a, b) => a - b)) {
    const run = runs.at(-1)
    if (run && run[1] === index - 1) run[1] = index
    else runs.push([index, index])
  }
  return runs
    .map(([first, last]) => {
      if (first === last) return String(first)
      return last === first + 1 ? `${first},${last}` : `${first}-${last}`
    })
    .join(',')
}

/** The lowest `count` indexes below `completions` that are in none of the sets. */
export function freeIndexes(completions: number, count: number, ...taken: ReadonlySet<number>[]): number[] {
  const free: number[] = []
  for (let index = 0; index < completions && free.length < count; index++) {
    if (!taken.some((set) => set.has(index))) free.push(index)
  }
  return free
}
