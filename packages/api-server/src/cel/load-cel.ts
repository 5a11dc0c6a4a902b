/**
 * Loads the language of expressions when the first one is met: its library is a fifth of a megabyte, and a cluster
 * without policies and custom resources has none.
 *
 * What must compile expressions without waiting (the validation of an object) asks `loadedCel`; admission has loaded it
 * by then (admission/cel-loader.ts).
 */

import type { Cel } from './cel.ts'

let loading: Promise<Cel> | undefined
let loaded: Cel | undefined

export async function loadCel(): Promise<Cel> {
  return await (loading ??= load())
}

/** Throws unless `loadCel` has been waited for. */
export function loadedCel(): Cel {
  if (!loaded) throw new Error('CEL is not loaded yet')
  return loaded
}

async function load(): Promise<Cel> {
  const [{ Cel: Language }, { Environment, Optional }, { Duration }] = await Promise.all([
    import('./cel.ts'),
    import('@marcbachmann/cel-js'),
    import('@marcbachmann/cel-js/evaluator'),
  ])
  return (loaded = new Language({ Environment, Optional, Duration }))
}
