/**
 * A shell that waits to become what is started next. To fork a process as large as this one takes the kernel two
 * milliseconds, in which nothing else happens here; so that is done when a start is over, for the next one. That saves
 * 3.8 of 32.6 ms; fifo-pool.ts says how it was measured.
 *
 * Callers may rely on: the shell leads a session of its own, has a session keyring of its own where that can be had
 * (keyring.ts), and is gone when this process is, however it ends: it reads end-of-file then.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import type { Writable } from 'node:stream'
import { toolEnvironment } from '../tool-environment.ts'
import { newKeyring } from './keyring.ts'

export interface Shell {
  process: ChildProcess
  stdin: Writable
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

  take(): Shell {
    const shell = this.#spare ?? this.#start()
    this.#spare = undefined
    return shell
  }

  /** To be called when there is time. */
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
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    const { stdin } = child
    const shell = { process: child, stdin }
    // It may end before it has read: whoever took it sees that in another way.
    stdin.on('error', () => undefined)
    child.on('error', () => undefined)
    child.on('exit', () => {
      if (this.#spare === shell) this.#spare = undefined
    })
    child.unref()
    return shell
  }
}
