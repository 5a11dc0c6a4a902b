/**
 * Deals a flow its hand of queues: always the same ones for the same flow, and hardly ever the same hand for two. So
 * two flows share some queue at most, and the one that floods cannot fill all queues of the other. Upstream's
 * pkg/util/shufflesharding.
 */

import { createHash } from 'node:crypto'

/** Different indices below `deck`, `size` of them. */
export function dealHand(flow: string, deck: number, size: number): number[] {
  let entropy = createHash('sha256').update(flow).digest().readBigUInt64LE()
  const hand: number[] = []
  for (let dealt = 0; dealt < Math.min(size, deck); dealt++) {
    const left = BigInt(deck - dealt)
    let card = Number(entropy % left)
    entropy /= left
    // The card is counted among those that are still in the deck.
    for (const taken of [...hand].sort((a, b) => a - b)) if (card >= taken) card++
    hand.push(card)
  }
  return hand
}
