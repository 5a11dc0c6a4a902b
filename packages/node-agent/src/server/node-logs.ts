/**
 * /logs/: the log files of the node's own components, as `kubectl get --raw /api/v1/nodes/NODE/proxy/logs/` shows them.
 * A kubelet serves its machine's /var/log. All nodes here share one machine, whose /var/log is none of a cluster's
 * business: they serve the directory in which the cluster's components log.
 *
 * Callers may rely on: nothing outside of that directory is read, whatever links lie in it. A directory is a page of
 * links, as Go's http.FileServer makes it, but it is not redirected to its name with a slash: an API server's proxy may
 * have taken that slash away.
 */

import { createReadStream, type ReadStream } from 'node:fs'
import { readdir, realpath, stat } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { HttpError } from '@dinghy/shared/http/http-error'

export type NodeLog = { page: string } | { file: ReadStream }

/** `path` is what follows /logs/. */
export async function nodeLog(directory: string | undefined, path: string): Promise<NodeLog> {
  if (directory === undefined) throw new HttpError(405, 'logs endpoint is disabled.')
  const target = await within(directory, path)
  if (!(await stat(target)).isDirectory()) return { file: createReadStream(target) }
  const entries = await readdir(target, { withFileTypes: true })
  const names = entries.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name)).sort()
  const links = names.map((name) => `<a href="${encodeURI(name)}">${escaped(name)}</a>\n`)
  return {
    page: `<!doctype html>\n<meta name="viewport" content="width=device-width">\n<pre>\n${links.join('')}</pre>\n`,
  }
}

async function within(directory: string, path: string): Promise<string> {
  try {
    const root = await realpath(directory)
    const target = await realpath(join(root, path))
    if (target === root || target.startsWith(root + sep)) return target
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (!['ENOENT', 'ENOTDIR', 'ERR_INVALID_ARG_VALUE'].includes(code)) throw error
  }
  throw new HttpError(404, '404 page not found')
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
