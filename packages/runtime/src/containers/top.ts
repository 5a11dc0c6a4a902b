/**
 * `docker top`: the machine's own `ps`, cut down to the container's processes.
 */
import { badParameter, serverError } from '@dinghy/shared/docker/errors'
import type { ProcessRow } from '../drivers/driver.ts'

export interface ProcessTable {
  Titles: string[]
  Processes: string[][]
}

/** `runPs` is only called for arguments other than the default, whose table we can make ourselves. */
export async function processTable(
  rows: ProcessRow[],
  psArgs: string,
  runPs: (args: string[]) => Promise<string>,
): Promise<ProcessTable> {
  if (psArgs === '' || psArgs === '-ef') return defaultTable(rows)
  // Docker's own check: with "pid=" ps leaves the title out by which rows are found.
  if (/\bpid=/.test(psArgs)) throw badParameter('pid= is not allowed in ps arguments')
  return filterTable(await runPs(psArgs.split(/\s+/)), new Set(rows.map(({ pid }) => pid)))
}

function defaultTable(rows: ProcessRow[]): ProcessTable {
  return {
    Titles: ['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD'],
    Processes: rows.map(({ uid, pid, ppid, startedAt, terminal, cpuSeconds, command }) => [
      uid === 0 ? 'root' : String(uid),
      String(pid),
      String(ppid),
      '0',
      startedAt.toTimeString().slice(0, 5),
      terminal,
      new Date(cpuSeconds * 1000).toISOString().slice(11, 19),
      command,
    ]),
  }
}

/** The rows of ps output whose PID is one of ours; the last column may hold blanks. */
export function filterTable(output: string, pids: ReadonlySet<number>): ProcessTable {
  const [header = '', ...lines] = output.split('\n').filter(Boolean)
  const Titles = header.trim().split(/\s+/)
  const pidColumn = Titles.indexOf('PID')
  if (pidColumn < 0) throw serverError("Couldn't find PID field in ps output")
  const Processes = lines
    .map((line) => {
      const fields = line.trim().split(/\s+/)
      return [...fields.slice(0, Titles.length - 1), fields.slice(Titles.length - 1).join(' ')]
    })
    .filter((fields) => pids.has(Number(fields[pidColumn])))
  return { Titles, Processes }
}
