/**
 * Where the items of a merged list go, when the patch knows some of them and the server has others.
 *
 * Items the patch names stand in the patch's order; items only the server has keep the server's. The two runs are
 * zipped: a server item goes first only if both it and the next patch item were on the server, in that order. So an
 * item that is new with the patch goes before whatever the server has left – as upstream does it.
 */

/** What makes two items the same: the item itself in a list of scalars, its merge key's value in a list of objects. */
export type Identity = (item: unknown) => unknown

export function orderLike(
  merged: unknown[],
  patchOrder: unknown[],
  serverOrder: unknown[],
  identity: Identity,
): unknown[] {
  const inPatch = positions(patchOrder, identity)
  const onServer = positions(serverOrder, identity)
  const at = (places: Map<unknown, number>, item: unknown) => places.get(identity(item))
  const by = (places: Map<unknown, number>) => (a: unknown, b: unknown) =>
    (at(places, a) ?? Infinity) - (at(places, b) ?? Infinity)

  const named = merged.filter((item) => at(inPatch, item) !== undefined)
  const others = merged.filter((item) => at(inPatch, item) === undefined)
  named.sort(by(inPatch))
  others.sort(by(onServer))

  const zipped: unknown[] = []
  while (named.length > 0 && others.length > 0) {
    const [left, right] = [at(onServer, others[0]), at(onServer, named[0])]
    const serverFirst = left !== undefined && right !== undefined && left < right
    zipped.push(serverFirst ? others.shift() : named.shift())
  }
  return [...zipped, ...others, ...named]
}

function positions(items: unknown[], identity: Identity): Map<unknown, number> {
  const places = new Map<unknown, number>()
  for (const [i, item] of items.entries()) if (!places.has(identity(item))) places.set(identity(item), i)
  return places
}
