/**
 * The life of a container, as a table of what may follow what. Pure: no clock, no process, no disk.
 *
 *   created ──started──▶ running ──exited──▶ exited ──started──▶ running …
 *                          │ ▲                 ▲
 *                    paused│ │resumed          │exited
 *                          ▼ │                 │
 *                         paused           restarting ◀──willRestart── running
 *
 *   created, exited, dead ──removing──▶ removing ──removeFailed──▶ dead
 */
import { conflict, type DockerError } from '@dinghy/shared/docker/errors'
import type { State, Status } from './record.ts'

export function isUp(status: Status): boolean {
  return status === 'running' || status === 'paused' || status === 'restarting'
}

/** A process of the container exists: `restarting` is up, but waiting. */
export function hasProcess(status: Status): boolean {
  return status === 'running' || status === 'paused'
}

export type Transition = 'started' | 'exited' | 'willRestart' | 'paused' | 'resumed' | 'removing' | 'removeFailed'

const allowed: Record<Transition, { from: Status[]; to: Status }> = {
  started: { from: ['created', 'exited', 'restarting', 'dead'], to: 'running' },
  exited: { from: ['created', 'running', 'paused', 'restarting'], to: 'exited' },
  willRestart: { from: ['running', 'paused', 'restarting'], to: 'restarting' },
  paused: { from: ['running'], to: 'paused' },
  resumed: { from: ['paused'], to: 'running' },
  removing: { from: ['created', 'exited', 'dead', 'removing'], to: 'removing' },
  removeFailed: { from: ['removing'], to: 'dead' },
}

/** The state after a transition. Throws if it cannot follow, which is a bug of the caller or a lost race. */
export function after(state: State, transition: Transition, change: Partial<State> = {}): State {
  const { from, to } = allowed[transition]
  if (!from.includes(state.status)) throw new Error(`a container that is ${state.status} cannot have ${transition}`)
  return { ...state, ...change, status: to }
}

/** Why a user's request does not fit the state, in Docker's words; undefined when it does. */
export function refusal(
  request: 'kill' | 'pause' | 'unpause' | 'exec' | 'remove' | 'top' | 'attach',
  status: Status,
  id: string,
  name: string,
): DockerError | undefined {
  const text = refusalText(request, status, id, name)
  return text === undefined ? undefined : conflict(text)
}

type Request = Parameters<typeof refusal>[0]

function refusalText(request: Request, status: Status, id: string, name: string): string | undefined {
  if (request === 'unpause') return status === 'paused' ? undefined : `Container ${id} is not paused`
  if (request === 'remove') return removalRefusal(status, name)
  if (status === 'restarting' && request !== 'kill' && request !== 'pause') {
    return `Container ${id} is restarting, wait until the container is running`
  }
  if (status === 'paused') {
    if (request === 'pause') return `Container ${id} is already paused`
    if (request === 'exec') return `container ${id} is paused, unpause the container before exec`
    if (request === 'attach') return `container ${id} is paused, unpause the container before attach`
  }
  // One may attach to what does not run yet.
  if (request === 'attach' || hasProcess(status)) return undefined
  if (request === 'kill') return `cannot kill container: ${name}: container ${id} is not running`
  return request === 'pause' ? `Container ${id} is not running` : `container ${id} is not running`
}

function removalRefusal(status: Status, name: string): string | undefined {
  if (status === 'paused') return `cannot remove container "${name}": container is paused and must be unpaused first`
  if (!isUp(status)) return undefined
  return `cannot remove container "${name}": container is ${status}: stop the container before removing or force remove`
}
