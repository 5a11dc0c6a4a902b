/**
 * Steps that must not fail because a disk is full: noting that a container has ended, for which somebody waits, and
 * removing one, which is how people make room. What could not be written down a later runtime finds out again, from the
 * run directory or because the container is still there.
 */
import type { Logger } from '@dinghy/shared/process/logger'
import type { Container } from './container.ts'

export async function despiteFullDisk(
  log: Pick<Logger, 'error'>,
  { id }: Pick<Container, 'id'>,
  note: () => Promise<void> | void,
): Promise<void> {
  try {
    await note()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error
    log.error({ err: error, container: id }, 'the disk is full: the state of a container could not be written down')
  }
}
