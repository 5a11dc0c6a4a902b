/**
 * A new container in the foreground: its streams joined to ours, our signals passed on, its exit code ours.
 */

import type { DockerEngine } from '@dinghy/shared/docker/engine'
import { readJson } from '@dinghy/shared/http/client'
import { interact } from './terminal.ts'

export interface Foreground {
  tty: boolean
  stdin: boolean
  /** The engine removes the container when it has ended. */
  remove: boolean
}

/** Starts the container and returns its exit code. */
export async function startInForeground(engine: DockerEngine, id: string, options: Foreground): Promise<number> {
  const { tty, stdin, remove } = options
  // Attach and wait before the start, or a quick container is gone before anybody asked.
  const query = { stream: 1, stdin: stdin ? 1 : 0, stdout: 1, stderr: 1 }
  const { socket } = await engine.hijack(`/containers/${id}/attach`, { query })
  const wait = await engine.request('POST', `/containers/${id}/wait?condition=${remove ? 'removed' : 'next-exit'}`, {
    lastsMs: Infinity,
  })
  const pass = (signal: NodeJS.Signals) => {
    engine.json('POST', `/containers/${id}/kill?signal=${signal}`).catch((error: Error) => console.error(error.message))
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, pass)
  try {
    await engine.json('POST', `/containers/${id}/start`)
    const resize = (rows: number, columns: number): Promise<void> =>
      engine.json('POST', `/containers/${id}/resize?h=${rows}&w=${columns}`)
    await interact(socket, { tty, stdin, resize })
    return (await readJson<{ StatusCode: number }>(wait)).StatusCode
  } finally {
    for (const signal of signals) process.off(signal, pass)
    // A start that failed leaves both open.
    socket.destroy()
    wait.body.destroy()
  }
}
