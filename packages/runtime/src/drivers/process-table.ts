/**
 * Processes as the machine knows them: is a pid still the process we think it is, what is it doing, whose child is it.
 * Reads /proc on Linux and asks `ps` elsewhere.
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import type { ProcessRow } from './driver.ts'
import { toolEnvironment } from '../tool-environment.ts'

const onLinux = process.platform === 'linux'
/** Units of the times in /proc/<pid>/stat: USER_HZ, which is 100 on every Linux that Node runs on. */
export const ticksPerSecond = 100

export interface ProcessStat {
  pid: number
  /** `Z` is a zombie: dead, but not yet reaped. */
  state: string
  ppid: number
  session: number
  terminal: number
  userTicks: number
  systemTicks: number
  /** Ticks since boot. */
  startTime: string
}

/** Whether a process with this pid exists, whoever owns it. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** For one that may have gone by now. */
export function signalIfAlive(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Whether `pid` is alive and is the process that started at `startTime`: pids are used again. */
export function isSameProcess(pid: number, startTime: string): boolean {
  if (!isAlive(pid)) return false
  return startTimeOf(pid) === startTime
}

/** An opaque text that tells apart two processes with the same pid; undefined for the dead, zombies included. */
export function startTimeOf(pid: number): string | undefined {
  if (onLinux) {
    const stat = readStat(pid)
    return stat === undefined || stat.state === 'Z' ? undefined : stat.startTime
  }
  // As process/init.sh writes it: one token.
  const text = psOf(['-o', 'lstart=', '-p', String(pid)]).trim()
  return text === '' ? undefined : text.replace(/\s+/g, '_')
}

export function readStat(pid: number): ProcessStat | undefined {
  const text = readProc(pid, 'stat')
  return text === undefined ? undefined : parseStat(text)
}

/** Parses /proc/<pid>/stat; the command in parentheses may itself hold spaces and parentheses. */
export function parseStat(text: string): ProcessStat {
  const close = text.lastIndexOf(')')
  const fields = text.slice(close + 2).split(' ')
  const number = (index: number) => Number(fields[index - 3] ?? 0)
  return {
    pid: Number.parseInt(text, 10),
    state: fields[0] ?? '',
    ppid: number(4),
    session: number(6),
    terminal: number(7),
    userTicks: number(14),
    systemTicks: number(15),
    startTime: fields[22 - 3] ?? '',
  }
}

/** All pids of the machine; Linux only. */
export function allPids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
}

/** A file of /proc/<pid>, or undefined when the process has gone. */
export function readProc(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ESRCH') return undefined
    throw error
  }
}

/** The rows of `docker top` for these pids; those that have gone meanwhile are left out. */
export function rowsOf(pids: number[]): ProcessRow[] {
  return onLinux ? pids.flatMap((pid) => linuxRow(pid) ?? []) : pids.flatMap(psRow)
}

function linuxRow(pid: number): ProcessRow | undefined {
  const stat = readStat(pid)
  const status = readProc(pid, 'status')
  const commandLine = readProc(pid, 'cmdline')
  if (stat === undefined || status === undefined || commandLine === undefined) return undefined
  const name = /^Name:\t(.*)$/m.exec(status)?.[1] ?? ''
  return {
    pid,
    ppid: stat.ppid,
    uid: Number(/^Uid:\t(\d+)/m.exec(status)?.[1] ?? 0),
    startedAt: new Date(bootTimeMs() + (Number(stat.startTime) / ticksPerSecond) * 1000),
    cpuSeconds: (stat.userTicks + stat.systemTicks) / ticksPerSecond,
    terminal: stat.terminal === 0 ? '?' : `pts/${stat.terminal & 0xff}`,
    command: commandLine.replaceAll('\0', ' ').trim() || `[${name}]`,
  }
}

function psRow(pid: number): ProcessRow[] {
  const line = psOf(['-o', 'ppid=,uid=,tty=,command=', '-p', String(pid)]).trim()
  const match = /^(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line)
  if (match === null) return []
  const [, ppid, uid, terminal = '?', command = ''] = match
  return [{ pid, ppid: Number(ppid), uid: Number(uid), startedAt: new Date(0), cpuSeconds: 0, terminal, command }]
}

/** The program and its arguments, with blanks between them; undefined when the process has gone. */
export function commandLineOf(pid: number): string | undefined {
  const text = onLinux ? readProc(pid, 'cmdline')?.replaceAll('\0', ' ') : psOf(['-o', 'command=', '-p', String(pid)])
  return text?.trim() || undefined
}

/** The children, grandchildren, … of `pid`, itself first. */
export function descendantsOf(pid: number): number[] {
  const children = new Map<number, number[]>()
  for (const [child, parent] of parentsOfAll()) children.set(parent, [...(children.get(parent) ?? []), child])
  const found = [pid]
  for (let index = 0; index < found.length; index++) found.push(...(children.get(found[index] ?? 0) ?? []))
  return found
}

function parentsOfAll(): [number, number][] {
  if (onLinux) {
    return allPids().flatMap((pid): [number, number][] => {
      const stat = readStat(pid)
      return stat === undefined ? [] : [[pid, stat.ppid]]
    })
  }
  const lines = psOf(['-axo', 'pid=,ppid=']).trim().split('\n')
  return lines.map((line) => line.trim().split(/\s+/).map(Number) as [number, number])
}

function psOf(args: string[]): string {
  try {
    return execFileSync('ps', args, { env: toolEnvironment, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  } catch (error) {
    // ps exits with 1 when no process matches.
    if ((error as { status?: unknown }).status === 1) return ''
    throw error
  }
}

let bootTime: number | undefined
function bootTimeMs(): number {
  bootTime ??= Number(/^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1] ?? 0) * 1000
  return bootTime
}
