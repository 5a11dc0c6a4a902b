/**
 * Closes the files that this process has inherited from whoever started it. Node passes nothing on but what it is told
 * to, and opens its own files with close-on-exec; an inherited descriptor lacks that flag, so every program that we
 * start would have it, and with it every container.
 */
import { closeSync, existsSync, readdirSync, readFileSync } from 'node:fs'

const closeOnExec = 0o2000000

/**
 * Must be called before this process has opened anything that it means to pass on. Where there is no /proc (macOS) the
 * system does it.
 */
export function closeInheritedDescriptors(): void {
  if (!existsSync('/proc/self/fdinfo')) return
  for (const name of readdirSync('/proc/self/fdinfo')) {
    const descriptor = Number(name)
    if (descriptor > 2 && isInherited(descriptor)) closeSync(descriptor)
  }
}

function isInherited(descriptor: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8'))?.[1]
    return flags !== undefined && (Number.parseInt(flags, 8) & closeOnExec) === 0
  } catch (error) {
    // The directory that was listed is closed by now.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}
