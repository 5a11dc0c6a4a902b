import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { digestOf } from '@dinghy/images/content/content-store'
import { tarStream } from '@dinghy/images/files/tar'
import { receiveRemote } from './remote-context.ts'
import { cloneGit, download, isGitUrl } from './steps/remote.ts'

let root: string
let server: Server
let base: string
/** What the server has, by path. */
let served: Record<string, Buffer>

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'remote-'))
  served = {}
  server = createServer(({ url = '' }, response) => {
    const body = served[url]
    response.writeHead(body ? 200 : 404, { 'Last-Modified': 'Mon, 06 May 2024 07:08:09 GMT' }).end(body ?? 'nowhere')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  rmSync(root, { recursive: true, force: true })
})

function git(directory: string, ...args: string[]): void {
  const who = ['-c', 'user.name=a', '-c', 'user.email=a@b.test', '-c', 'init.defaultBranch=main']
  execFileSync('git', [...who, ...args], { cwd: directory, stdio: 'ignore' })
}

describe('a context by its address', () => {
  test('a tar, compressed or not', async () => {
    const content = Buffer.from('FROM scratch')
    const header = { name: 'Dockerfile', type: 'file' as const, mode: 0o644, uid: 0, gid: 0, mtime: new Date(0) }
    const tar = await buffer(tarStream((archive) => archive.add({ ...header, size: content.length }, content)))
    served = { '/plain.tar': tar, '/packed': gzipSync(tar) }
    for (const path of Object.keys(served)) {
      const context = await receiveRemote(base + path, root, 'Dockerfile')
      expect(context.dockerfile()).toBe('FROM scratch')
      context.remove()
    }
    expect(readdirSync(root)).toEqual([])
  })

  test('anything else is the Dockerfile itself', async () => {
    served['/file'] = Buffer.from('FROM text')
    expect((await receiveRemote(`${base}/file`, root, 'ignored')).dockerfile()).toBe('FROM text')
  })

  test.each([
    ['/nowhere', 'unexpected status 404'],
    ['ftp://x', 'is no URL'],
    ['git://127.0.0.1:1/x', 'unable to prepare context'],
  ])('%s is a bad request, and leaves nothing behind', async (address, message) => {
    const receiving = receiveRemote(address.startsWith('/') ? base + address : address, root, 'Dockerfile')
    await expect(receiving).rejects.toMatchObject({ status: 400, message: expect.stringContaining(message) as string })
    expect(readdirSync(root)).toEqual([])
  })
})

describe('git', () => {
  test('a branch and a directory of a repository, with its history or without', async () => {
    const repository = join(root, 'repository')
    mkdirSync(join(repository, 'sub'), { recursive: true })
    git(repository, 'init')
    writeFileSync(join(repository, 'sub/file'), 'first')
    symlinkSync('/etc', join(repository, 'outside'))
    symlinkSync('sub', join(repository, 'inside'))
    git(repository, 'add', '.')
    git(repository, 'commit', '-m', 'first')
    git(repository, 'checkout', '-b', 'other')
    writeFileSync(join(repository, 'sub/file'), 'second')
    git(repository, 'commit', '-am', 'second')
    git(repository, 'checkout', 'main')
    const clone = async (name: string, suffix: string, keepGitDir: boolean) => {
      mkdirSync(join(root, name))
      return cloneGit(`${repository}${suffix}`, join(root, name), { keepGitDir })
    }
    expect(readFileSync(join(await clone('a', '', false), 'sub/file'), 'utf8')).toBe('first')
    expect(readFileSync(join(await clone('b', '#other:sub', false), 'file'), 'utf8')).toBe('second')
    // A path that climbs stays inside of the checkout.
    expect(join(await clone('c', '#main:../..', true), '/')).toBe(join(root, 'c', '/'))
    expect([existsSync(join(root, 'a/.git')), existsSync(join(root, 'c/.git'))]).toEqual([false, true])
    await expect(clone('d', '#--upload-pack=x', false)).rejects.toThrow('invalid git reference')
    expect(await clone('e', '#main:inside', false)).toBe(join(root, 'e/sub'))
    await expect(clone('f', '#main:outside', false)).rejects.toThrow('has no directory "outside"')
  })

  test.each([
    ['git@github.com:a/b', true],
    ['https://example.test/a.git', true],
    ['https://example.test/a.git#main:sub', true],
    ['https://example.test/a.tar', false],
    ['./a.git', false],
  ])('%s: %s', (address, expected) => expect(isGitUrl(address)).toBe(expected))
})

describe('a file by its address', () => {
  test('has the name, the time and the content that it has there', async () => {
    served['/dir/a%20file?x=1'] = Buffer.from('content')
    const file = await download(`${base}/dir/a%20file?x=1`, digestOf('content'))
    expect(file).toMatchObject({ name: 'a file', mode: 0o600, modifiedAt: new Date('2024-05-06T07:08:09Z') })
    await expect(download(`${base}/dir/a%20file?x=1`, digestOf('other'))).rejects.toThrow('digest mismatch')
    await expect(download(`${base}/nowhere`)).rejects.toThrow('with status 404: nowhere')
  })
})
