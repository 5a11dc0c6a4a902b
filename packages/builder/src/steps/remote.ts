/**
 * What a build fetches over the network: `ADD https://…`, `ADD git@…`, and contexts given as a URL. Git is this
 * machine's git.
 */
import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { promisify } from 'node:util'
import { digestOf } from '@dinghy/images/content/content-store'
import { readAll, webRequest } from '@dinghy/images/distribution/web-request'
import { LayerView } from '@dinghy/images/layers/layer-view'
import type { InlineFile } from './copy-plan.ts'

const run = promisify(execFile)
const maxDownloadBytes = 2 ** 30

export function isUrl(source: string): boolean {
  return /^https?:\/\//.test(source)
}

export function isGitUrl(source: string): boolean {
  return /^(?:git:\/\/|git@|ssh:\/\/git@)/.test(source) || /^https?:\/\/\S+\.git(?:#\S*)?$/.test(source)
}

/** Downloads one file; its name is the last part of the URL's path. Checks `checksum` (`sha256:…`) if given. */
export async function download(url: string, checksum?: string, signal?: AbortSignal): Promise<InlineFile> {
  const response = await webRequest(url, {}, signal)
  const content = await readAll(response.body, maxDownloadBytes)
  if (response.status >= 400)
    throw new Error(`failed to GET ${url} with status ${response.status}: ${content.toString().slice(0, 200)}`)
  const digest = digestOf(content)
  if (checksum !== undefined && checksum !== digest) {
    throw new Error(`digest mismatch for ${url}: expected ${checksum}, got ${digest}`)
  }
  const modified = Date.parse(response.headers['last-modified'] ?? '')
  const { pathname } = new URL(url)
  return {
    name: posix.basename(decodeURIComponent(pathname)),
    content,
    mode: 0o600,
    modifiedAt: new Date(Number.isNaN(modified) ? 0 : modified),
  }
}

/** Clones `url#ref:directory` into `directory`; returns where the wanted files are. */
export async function cloneGit(
  url: string,
  directory: string,
  options: { keepGitDir: boolean },
  signal?: AbortSignal,
): Promise<string> {
  const [repository = '', fragment = ''] = url.split('#', 2)
  const [ref = '', subdirectory = ''] = fragment.split(':', 2)
  if (repository.startsWith('-') || ref.startsWith('-')) throw new Error(`invalid git reference ${JSON.stringify(url)}`)
  const git = (...args: string[]) =>
    run('git', args, {
      cwd: directory,
      // Never ask a person, and never run what a repository's own configuration says.
      env: { ...process.env, GIT_TERMINAL_PROMPT: '0', GIT_CONFIG_NOSYSTEM: '1' },
      ...(signal ? { signal } : {}),
    })
  await git('init', '--quiet')
  await git('fetch', '--quiet', '--depth', '1', '--', repository, ref === '' ? 'HEAD' : ref)
  await git('checkout', '--quiet', 'FETCH_HEAD')
  if (!options.keepGitDir) await rm(join(directory, '.git'), { recursive: true, force: true })
  // A repository's own links lead nowhere else.
  const found = new LayerView([{ directory, opaque: new Set() }]).lookup(posix.join('/', subdirectory))
  if (!found?.stat.isDirectory()) throw new Error(`${repository} has no directory ${JSON.stringify(subdirectory)}`)
  return found.hostPath
}
