/**
 * Health: the named checks behind /livez, /readyz and /healthz, in the text format of Kubernetes' own components.
 *
 * A check passes by returning (or resolving to) anything but false; it fails by returning false or throwing. A plain
 * check says whether the process is *ready*; with `{ live: true }` its failure also means that only a restart will
 * help, so it counts for /livez and /healthz too. A server that cannot be reached is never a reason to be restarted.
 */

import type { Clock } from '../api/clock.ts'

export type Check = () => unknown

/** While somebody waits. The checks look at variables of this process, so they cost next to nothing. */
const betweenChecksMs = 10

export interface CheckResult {
  name: string
  ok: boolean
  error?: string
}

export class Health {
  readonly #checks = new Map<string, { check: Check; live: boolean }>()

  constructor() {
    this.addCheck('ping', () => true, { live: true })
  }

  addCheck(name: string, check: Check, { live = false }: { live?: boolean } = {}): void {
    this.#checks.set(name, { check, live })
  }

  get size(): number {
    return this.#checks.size
  }

  /** Runs the checks that count for this endpoint, in the order in which they were added. */
  async run(endpoint: 'livez' | 'readyz' | 'healthz'): Promise<CheckResult[]> {
    const wanted = [...this.#checks].filter(([, { live }]) => live || endpoint === 'readyz')
    return Promise.all(wanted.map(([name, { check }]) => runCheck(name, check)))
  }

  /** Resolves when all is well; rejects with the signal's reason. */
  async untilReady(clock: Pick<Clock, 'sleep'>, signal: AbortSignal): Promise<void> {
    while (!(await this.run('readyz')).every(({ ok }) => ok)) await clock.sleep(betweenChecksMs, signal)
  }
}

async function runCheck(name: string, check: Check): Promise<CheckResult> {
  try {
    return (await check()) === false ? { name, ok: false, error: 'not yet' } : { name, ok: true }
  } catch (error) {
    return { name, ok: false, error: error instanceof Error ? error.message : String(error) }
  }
}

/** "ok" alone when all is well and nobody asked for more; otherwise one line a check. */
export function healthText(endpoint: string, results: readonly CheckResult[], verbose: boolean): string {
  const passed = results.every((result) => result.ok)
  if (passed && !verbose) return 'ok'
  const lines = results.map(({ name, ok, error }) => (ok ? `[+]${name} ok` : `[-]${name} failed: ${error}`))
  return [...lines, `${endpoint} check ${passed ? 'passed' : 'failed'}`, ''].join('\n')
}
