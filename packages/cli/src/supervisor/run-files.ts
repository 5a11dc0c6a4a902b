/**
 * Hears of the run files that components write, so that the supervisor notices at once who has become ready.
 *
 * It is only a hint: where the system has no watches left (inotify's are counted, and editors take many), nothing is
 * heard, and components notice a little later by looking.
 */

import { type FSWatcher, watch } from 'node:fs'

/** `onWritten` gets the name of the component. Ends with close(). */
export function watchRunFiles(directory: string, onWritten: (name: string) => void): { close(): void } {
  const watcher = watchIfPossible(directory)
  watcher?.on('change', (_event, file) => {
    const name = /^(.*)\.json$/.exec(String(file))?.[1]
    if (name !== undefined) onWritten(name)
  })
  // The directory is gone: nobody writes there any more.
  watcher?.on('error', () => watcher.close())
  return { close: () => watcher?.close() }
}

function watchIfPossible(directory: string): FSWatcher | undefined {
  try {
    return watch(directory, { persistent: false })
  } catch (error) {
    if (outOfWatches.has((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}

const outOfWatches = new Set(['ENOSPC', 'EMFILE', 'ENFILE', 'ENOSYS'])
