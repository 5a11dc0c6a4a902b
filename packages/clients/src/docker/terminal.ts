/**
 * Joining this terminal to a container's: keys go in, output comes out, the window's size follows, until the
 * container's side of the stream ends.
 */

import type { Duplex } from 'node:stream'
import { DockerError } from '@dinghy/shared/docker/errors'
import { copyOutput } from './copy-output.ts'

export interface Terminal {
  /** The container has a terminal of its own: bytes are passed as they are, unframed. */
  tty: boolean
  stdin: boolean
  /** Tells the engine how large the window is. */
  resize?: (rows: number, columns: number) => Promise<void>
}

/** Resolves when the stream has ended, and closes our side of it; leaves the terminal as it found it. */
export async function interact(stream: Duplex, { tty, stdin, resize }: Terminal): Promise<void> {
  const { stdin: keys, stdout: screen } = process
  const isRaw = tty && stdin && keys.isTTY
  const follow = () => {
    resize?.(screen.rows, screen.columns).catch((error: unknown) => {
      // A container that has just ended has no window any more.
      if (!(error instanceof DockerError)) throw error
    })
  }
  if (isRaw) keys.setRawMode(true)
  if (tty && screen.isTTY) {
    follow()
    screen.on('resize', follow)
  }
  if (stdin) keys.pipe(stream)
  else stream.end()
  try {
    if (tty) for await (const chunk of stream) screen.write(chunk as Buffer)
    else await copyOutput(stream)
  } finally {
    screen.off('resize', follow)
    if (isRaw) keys.setRawMode(false)
    keys.unpipe(stream)
    stream.destroy()
    // Otherwise an open stdin would keep this process alive.
    keys.destroy()
  }
}
