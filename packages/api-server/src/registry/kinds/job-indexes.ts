/** The numbers of an indexed Job's pods as text: "1,3-5,7", in growing order. Follows pkg/apis/batch/validation. */

/** How many they are, or what is wrong with them. */
export function countIndexes(text: string, completions: number): number | string {
  let total = 0
  let last: number | undefined
  for (const interval of text === '' ? [] : text.split(',')) {
    const limits = interval.split('-')
    if (limits.length > 2) {
      return `the fragment ${JSON.stringify(interval)} violates the requirement that an index interval can have at most two parts separated by '-'`
    }
    for (const limit of limits) {
      if (!/^\+?\d+$/.test(limit)) return `cannot convert string to integer for index: ${JSON.stringify(limit)}`
      if (Number(limit) >= completions) return `too large index: ${JSON.stringify(limit)}`
    }
    const [first = 0, end] = limits.map(Number)
    if (end !== undefined && first >= end) return `non-increasing order, previous: ${first}, current: ${end}`
    if (last !== undefined && last >= first) return `non-increasing order, previous: ${last}, current: ${first}`
    last = end ?? first
    total += last - first + 1
  }
  return total
}
