/**
 * Asking a running supervisor (control-server.ts) from another process. Every request has a deadline: a supervisor that
 * hangs, or was stopped by SIGSTOP, is told from one that is not there.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { StateDir } from '../cluster/state-dir.ts'
import type { ClusterStatus } from './control-server.ts'
import { type Answer, NoAnswer, type Question, send } from './http.ts'
import type { StopOptions, StopReport } from './supervisor.ts'

const statusWithinMs = 10_000
/** A node's processes get 5 s to go, a runtime that hangs 30 s to be replaced. */
const nodeWithinMs = 90_000
/** What a stop takes beyond the grace of the pods, at worst: three times 10 s for processes, 30 s for the runtime. */
const stopWithinMs = 90_000

/** The status of the cluster in this state directory, or undefined when no supervisor runs there. */
export async function askStatus(state: StateDir, timeoutMs = statusWithinMs): Promise<ClusterStatus | undefined> {
  const { status, text } = await ask(state, { method: 'GET', url: '/status', timeoutMs })
  return status === 200 ? (JSON.parse(text) as ClusterStatus) : undefined
}

/** The status of a cluster that has to be running. */
export async function statusOfRunning(state: StateDir): Promise<ClusterStatus> {
  const status = await askStatus(state)
  if (!status) throw new NotRunning(state)
  return status
}

export type NodeVerb = 'stop' | 'start' | 'cut' | 'heal' | 'delay' | 'remove'

export async function changeNode(state: StateDir, name: string, verb: NodeVerb, body?: object): Promise<void> {
  await command(state, `/nodes/${encodeURIComponent(name)}/${verb}`, nodeWithinMs, body)
}

/** Returns its name. */
export async function addNode(state: StateDir): Promise<string> {
  return ((await command(state, '/nodes', nodeWithinMs)) as { name: string }).name
}

export async function stopCluster(state: StateDir, options: StopOptions): Promise<StopReport> {
  return (await command(state, '/stop', options.graceMs + stopWithinMs, options)) as StopReport
}

/** What a stop that is under way waits for. */
export async function askWaiting(state: StateDir): Promise<string[]> {
  const { status, text } = await ask(state, { method: 'GET', url: '/waiting', timeoutMs: statusWithinMs })
  return status === 200 ? (JSON.parse(text) as { waitingFor: string[] }).waitingFor : []
}

/** Sends one command; throws with the supervisor's own message when it is refused. */
async function command(state: StateDir, url: string, timeoutMs: number, body?: object): Promise<unknown> {
  const { status, text } = await ask(state, { method: 'POST', url, timeoutMs, ...(body ? { body } : {}) })
  if (status === 0) throw new NotRunning(state)
  const answer = JSON.parse(text) as { message?: string }
  if (status !== 200) throw new Error(answer.message)
  return answer
}

async function ask(state: StateDir, question: Question): Promise<Answer> {
  // The ordinary case of `up`, which does not load what it would ask with.
  if (!existsSync(state.supervisorSocket)) return { status: 0, text: '' }
  try {
    return await send({ ...question, socketPath: state.supervisorSocket })
  } catch (error) {
    throw error instanceof NoAnswer ? new HungSupervisor(state) : error
  }
}

/**
 * Kills a supervisor that does not answer. Its pid is from a file that it wrote before it listened: as long as somebody
 * listens on its socket, that process lives, so the pid cannot be another's.
 */
export function killSupervisor(state: StateDir): number {
  const pid = Number(readFileSync(state.supervisorPid, 'utf8'))
  process.kill(pid, 'SIGKILL')
  return pid
}

export function writeSupervisorPid(state: StateDir): void {
  writeFileSync(state.supervisorPid, `${process.pid}\n`, { mode: 0o600 })
}

export class NotRunning extends Error {
  constructor(state: StateDir) {
    super(`no cluster is running in ${state.root}; start one with \`dinghy up\``)
  }
}

export class HungSupervisor extends Error {
  constructor(state: StateDir) {
    super(`the supervisor of ${state.root} is there and does not answer; \`dinghy down\` ends it`)
  }
}
