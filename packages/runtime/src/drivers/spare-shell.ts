/**
 * A shell that waits to become what is started next: a container, or a program in one. To fork a process as large as
 * this one takes the kernel some milliseconds, in which nothing else happens here; so that is done while another start
 * is under way, for the next one. That saves 3.8 of 32.6 ms; fifo-pool.ts says how it was measured.
 *
 * Callers may rely on: the shell leads a session of its own, so that nothing in a container is in one process group
 * with us; it has a session keyring of its own where that can be had (keyring.ts); and it is gone when this process is,
 * however it ends: it reads end-of-file then.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { toolEnvironment } from '../tool-environment.ts'
import { newKeyring } from './keyring.ts'

export interface Shell {
  process: ChildProcess
  stdin: Writable
  stdout: Readable
  stderr: Readable
}

/** It, or what it has become. */
export function hasEnded({ process: { pid, exitCode, signalCode } }: Shell): boolean {
  return pid === undefined || exitCode !== null || signalCode !== null
}

/**
 * Takes the name of a file in a line, and does what is in there. The mask is Docker's; ours changes while a socket is
 * made.
 */
const wait = `umask 022; ${newKeyring}; IFS= read -r file && . "$file"`

export class SpareShell {
  #spare: Shell | undefined

  /**
   * A shell that does what `script` says. That may be secret: it goes by way of `file`, which nobody else may read. The
   * rest of the shell's input is the script's.
   */
  run(file: string, script: string): Shell {
    writeFileSync(file, script, { mode: 0o600 })
    const shell = this.#spare ?? this.#start()
    this.#spare = undefined
    shell.stdin.write(`${file}\n`)
    return shell
  }

  /** To be called when there is time: the best is while what was started last is busy and we are not. */
  refill(): void {
    this.#spare ??= this.#start()
  }

  close(): void {
    this.#spare?.stdin.destroy()
    this.#spare = undefined
  }

  #start(): Shell {
    const child = spawn('/bin/sh', ['-c', wait], {
      cwd: '/',
      detached: true,
      env: toolEnvironment,
      stdio: 'pipe',
    })
    const { stdin, stdout, stderr } = child
    const shell = { process: child, stdin, stdout, stderr }
    // It may end before it has read: whoever took it sees that in another way.
    stdin.on('error', () => undefined)
    child.on('error', () => undefined)
    child.on('exit', () => {
      if (this.#spare === shell) this.#spare = undefined
    })
    child.unref()
    for (const output of [stdout, stderr] as unknown as Socket[]) output.unref()
    return shell
  }
}
