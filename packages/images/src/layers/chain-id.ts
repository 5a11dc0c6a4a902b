/** Chain ids: what a layer is called together with all layers below it. Pure. */
import { digestOf } from '../content/content-store.ts'

/** One for each diff id, as the OCI image specification defines them. */
export function chainIds(diffIds: readonly string[]): string[] {
  const chain: string[] = []
  for (const diffId of diffIds) {
    const below = chain.at(-1)
    chain.push(below === undefined ? diffId : digestOf(`${below} ${diffId}`))
  }
  return chain
}
