/**
 * The last words of a container: what it wrote to its terminationMessagePath, or, where its policy says so and it
 * failed without a word, the end of its log. The file lies on the node and is mounted into the container.
 * Follows upstream's getTerminationMessage and its limits.
 */

import { mkdir, open, readFile, writeFile } from 'node:fs/promises'
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
): Promise<string | undefined> {
  const text = await readFileIfAny(messageFile(podDirectory, container.name, container.restartCount))
  if (text !== '') return text.slice(0, fileLimit)
  const wantsLog = container.terminationMessagePolicy === 'FallbackToLogsOnError' && container.exitCode !== 0
  return wantsLog && container.startError === undefined ? await logTail(docker, container.id) : undefined
}

async function readFileIfAny(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    // The container was made by an agent with another root, or its pod is being taken down.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}

async function logTail(docker: DockerClient, id: string): Promise<string> {
  const parser = new StdcopyParser()
  const pieces: Buffer[] = []
  for await (const chunk of await docker.logs(id, { tail: String(logLimit.lines) })) {
    for (const { data } of parser.push(chunk as Buffer)) pieces.push(data)
  }
  return Buffer.concat(pieces).subarray(-logLimit.bytes).toString('utf8')
}
