/** `docker build https://…`: a git repository, a tar, or a single Dockerfile, fetched by the runtime. */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { badParameter } from '@dinghy/shared/docker/errors'
import { detectCompression, peek } from '@dinghy/images/files/compression'
import { readAll, webRequest } from '@dinghy/images/distribution/web-request'
import { hasTarHeader, tarBlock } from './steps/add-archive.ts'
import { BuildContext } from './build-context.ts'
import { cloneGit, isGitUrl, isUrl } from './steps/remote.ts'

const maxDockerfileBytes = 2 ** 20

export async function receiveRemote(
  remote: string,
  parent: string,
  dockerfile: string,
  signal?: AbortSignal,
): Promise<BuildContext> {
  if (isGitUrl(remote) || remote.startsWith('github.com/')) {
    const url = remote.startsWith('github.com/') ? `https://${remote}` : remote
    const directory = BuildContext.newDirectory(parent)
    try {
      return BuildContext.at(await cloneGit(url, directory, { keepGitDir: false }, signal), dockerfile)
    } catch (error) {
      rmSync(directory, { recursive: true, force: true })
      throw badParameter(`unable to prepare context: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  if (!isUrl(remote)) throw badParameter(`remote context ${JSON.stringify(remote)} is no URL`)
  const { status, body } = await webRequest(remote, {}, signal)
  if (status >= 400) throw badParameter(`error downloading remote context ${remote}: unexpected status ${status}`)
  const { head, stream } = await peek(body, tarBlock)
  if (detectCompression(head) !== 'none' || hasTarHeader(head))
    return BuildContext.receive(stream, parent, dockerfile, signal)

  const text = await readAll(stream, maxDockerfileBytes)
  const directory = BuildContext.newDirectory(parent)
  writeFileSync(join(directory, 'Dockerfile'), text)
  return BuildContext.at(directory, 'Dockerfile')
}
