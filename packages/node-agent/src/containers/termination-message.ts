/**
 * The last words of a container: what it wrote to its terminationMessagePath, or, where its policy says so and it
 * failed without a word, the end of its log. The file lies on the node and is mounted into the container.
 * Follows upstream's getTerminationMessage and its limits.
 */

import { mkdir, open, writeFile, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { DockerClient } from '../docker/docker-client.ts'
import { StdcopyParser } from '@dinghy/shared/docker/stdcopy'
import type { ObservedContainer } from '../observed/observed-pod.ts'

const fileLimit = 4096
const logLimit = { lines: 80, bytes: 2048 }

/** Each run of the container has a file of its own, so that an old message is never taken for a new one. */
export function messageFile(podDirectory: string, container: string, restartCount: number): string {
  return join(podDirectory, 'containers', container, String(restartCount))
}

/** Anybody in the container may write to it, whoever it runs as. */
export async function createMessageFile(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, '', { flag: 'a' })
  const file = await open(path)
  await file.chmod(0o666)
  await file.close()
}

export async function readMessage(
  docker: DockerClient,
  podDirectory: string,
  container: ObservedContainer,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const text = await readEnd(messageFile(podDirectory, container.name, container.restartCount), fileLimit)
  if (text !== '') return text
  const wantsLog = container.terminationMessagePolicy === 'FallbackToLogsOnError' && container.exitCode !== 0
  return wantsLog && container.startError === undefined ? await logEnd(docker, container, signal) : undefined
}

/** The file may hold gigabytes: no more of it is read than is kept. */
async function readEnd(path: string, limit: number): Promise<string> {
  const file = await openIfAny(path)
  if (!file) return ''
  try {
    const { size } = await file.stat()
    const { buffer, bytesRead } = await file.read(Buffer.alloc(limit), 0, limit, Math.max(0, size - limit))
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await file.close()
  }
}

async function openIfAny(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path)
  } catch (error) {
    // The container was made by an agent with another root, or its pod is being taken down.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** A line may be as long as a log: only the end is kept while it passes by. */
async function logEnd(
  docker: DockerClient,
  { id, tty }: ObservedContainer,
  signal: AbortSignal | undefined,
): Promise<string> {
  const parser = new StdcopyParser()
  let end: Buffer = Buffer.alloc(0)
  for await (const chunk of await docker.logs(id, { tail: String(logLimit.lines) }, signal)) {
    const pieces = tty ? [chunk as Buffer] : parser.push(chunk as Buffer).map(({ data }) => data)
    end = Buffer.from(Buffer.concat([end, ...pieces]).subarray(-logLimit.bytes))
  }
  return end.toString('utf8')
}
