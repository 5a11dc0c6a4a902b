/**
 * What was acknowledged stays: the real process, killed with SIGKILL under writers and a watcher, a damaged database,
 * and a full disk.
 */

import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { sqliteLibrary } from '../../packages/api-server/src/storage/sqlite-library.ts'
import { ApiServerProcess } from './harness/api-server.ts'
import { Cluster, until } from './harness/cluster.ts'

const configMaps = '/api/v1/namespaces/default/configmaps'

interface ConfigMap {
  metadata: { name: string; resourceVersion: string }
  data: { number: string }
}

async function call<T>(server: ApiServerProcess, method: string, path: string, body?: object): Promise<T | undefined> {
  const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
  try {
    const response = await fetch(server.url + path, {
      method,
      headers: { 'content-type': type },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
    const answer = (await response.json()) as T
    return response.ok ? answer : undefined
  } catch {
    // The connection broke, or nobody listens: what became of it is unknown.
    await pause(5)
    return undefined
  }
}

/** Writes the next number into an object of its own, again and again; remembers what it was told. */
class Writer {
  readonly name: string
  /** By revision. */
  readonly acknowledged = new Map<number, number>()
  #number = 0

  constructor(name: string) {
    this.name = name
  }

  async write(server: ApiServerProcess): Promise<boolean> {
    this.#number++
    const body = { metadata: { name: this.name }, data: { number: String(this.#number) } }
    const written =
      (await call<ConfigMap>(server, 'PATCH', `${configMaps}/${this.name}`, body)) ??
      (await call<ConfigMap>(server, 'POST', configMaps, body))
    if (written) this.acknowledged.set(Number(written.metadata.resourceVersion), this.#number)
    return written !== undefined
  }
}

/** Goes on after each break from the last event that it saw whole. */
class Follower {
  readonly seen: string[] = []
  revision: number
  readonly #stop = new AbortController()

  constructor(revision: number) {
    this.revision = revision
  }

  async follow(server: ApiServerProcess): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        const query = `watch=1&resourceVersion=${this.revision}`
        const { body } = await fetch(`${server.url}${configMaps}?${query}`, { signal: this.#stop.signal })
        let text = ''
        for await (const chunk of body ?? []) {
          text += Buffer.from(chunk as Uint8Array).toString()
          const lines = text.split('\n')
          text = lines.pop() ?? ''
          for (const line of lines) this.#take(JSON.parse(line) as { type: string; object: ConfigMap })
        }
      } catch {
        // Killed in the middle of an answer, or not there again yet.
        await pause(5)
      }
    }
  }

  stop(): void {
    this.#stop.abort()
  }

  #take({ type, object }: { type: string; object: ConfigMap }): void {
    this.revision = Number(object.metadata.resourceVersion)
    this.seen.push(`${this.revision} ${type} ${object.metadata.name} ${object.data.number}`)
  }
}

test('the api-server, killed under writers and a watcher, loses nothing and tells everything once', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'dinghy-durability-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const database = join(directory, 'state.db')
  const server = new ApiServerProcess(database)
  await server.start()
  onTestFinished(() => server.end('SIGKILL'))
  const start = await call<{ metadata: { resourceVersion: string } }>(server, 'GET', configMaps)
  const from = Number(start?.metadata.resourceVersion)
  const writers = Array.from({ length: 8 }, (_, index) => new Writer(`writer-${index}`))
  const follower = new Follower(from)
  const following = follower.follow(server)
  const over = new AbortController()
  let acknowledged = 0
  const writing = writers.map(async (writer) => {
    while (!over.signal.aborted) if (await writer.write(server)) acknowledged++
  })
  for (let kill = 0; kill < 6; kill++) {
    // At a moment that nobody chose: some write is always on its way.
    const enough = acknowledged + 20 + Math.random() * 200
    await until('more writes', () => acknowledged > enough)
    await server.end('SIGKILL')
    await server.start()
  }
  over.abort()
  await Promise.all(writing)
  // What was written when it was killed may be there although nobody was told of it.
  const list = await call<{ items: ConfigMap[] }>(server, 'GET', configMaps)
  const newest = Math.max(...(list?.items ?? []).map(({ metadata }) => Number(metadata.resourceVersion)))
  await until('the last event', () => follower.revision >= newest)
  follower.stop()
  await following

  const replayed = new Follower(from)
  const replaying = replayed.follow(server)
  await until('all events again', () => replayed.revision >= newest)
  replayed.stop()
  await replaying
  expect(follower.seen).toEqual(replayed.seen)
  for (const { name, acknowledged } of writers) {
    expect(acknowledged.size).toBeGreaterThan(0)
    for (const [revision, number] of acknowledged) {
      const event = follower.seen.find((event) => event.startsWith(`${revision} `))
      expect(event).toMatch(new RegExp(`^${revision} (ADDED|MODIFIED) ${name} ${number}$`))
    }
  }
  await server.end('SIGTERM')
  expect(existsSync(`${database}-wal`)).toBe(false)
  const table = new (sqliteLibrary())(database, { readonly: true })
  expect(table.prepare('SELECT count(*) - max(revision) AS gaps FROM revisions').get()).toEqual({ gaps: 0 })
  table.close()
})

describe('a damaged database', () => {
  const cluster = new Cluster(1)
  afterAll(() => cluster.destroy())

  test('ends the start with what is lost, and the cluster goes on without it when it is told to', async () => {
    cluster.up()
    const first = cluster.kubectl(['get', 'service', 'kubernetes', '-o', 'jsonpath={.spec.clusterIP}']).stdout
    expect(cluster.dinghy('down').code).toBe(0)
    const database = join(cluster.stateDir, 'state.db')
    const server = new ApiServerProcess(database, '--service-cidr', first.replace(/\.1$/, '.0/16'))
    await server.start()
    for (let number = 0; number < 40; number++) {
      const body = { metadata: { name: `c${number}` }, data: { number: String(number) } }
      expect(await call(server, 'POST', configMaps, body)).toBeDefined()
    }
    await server.end('SIGKILL')
    const log = readFileSync(`${database}-wal`)
    const middle = Math.floor(log.length / 2)
    log[middle] = (log[middle] ?? 0) ^ 1
    writeFileSync(`${database}-wal`, log)
    const refused = cluster.dinghy('up', '--detach')
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/has lost acknowledged writes: revisions \d+ to \d+ are gone; `dinghy up --accept/),
    })
    const accepted = cluster.dinghy('up', '--detach', '--accept-data-loss')
    expect(accepted).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/revisions are saved, the damaged file is .*state\.db\.damaged\n/),
    })
    expect(cluster.kubectl(['get', 'configmap', 'c0', '-o', 'name']).stdout).toBe('configmap/c0\n')
    expect(cluster.dinghy('up', '--detach', '--accept-data-loss').code).toBe(0)
  })
})

const canMount = process.platform === 'linux' && process.getuid?.() === 0

describe.skipIf(!canMount)('a full disk (needs root, to mount a small one)', () => {
  const cluster = new Cluster(1)
  const filler = join(cluster.stateDir, 'filler')
  const fill = () => spawnSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=64k'])
  beforeAll(() => {
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=192m', 'tmpfs', cluster.stateDir])
    if (mounted.status !== 0) throw new Error(String(mounted.stderr))
  })
  afterAll(() => {
    rmSync(filler, { force: true })
    cluster.dinghy('down', '--wipe')
    spawnSync('umount', [cluster.stateDir])
    cluster.destroy()
  })

  test('is told by status and by whoever writes, and ends a start; with room again all goes on', async () => {
    cluster.up()
    expect(cluster.kubectl(['create', 'configmap', 'before']).code).toBe(0)
    fill()
    const large = `--from-literal=text=${'x'.repeat(100_000)}`
    const write = await until('a write that finds no room', () => {
      const write = cluster.kubectl(['create', 'configmap', `c${Math.random()}`, large])
      return write.code === 0 ? undefined : write
    })
    expect(write.stderr).toContain('database or disk is full')
    const full = /the disk of .* is full \(\d+ MiB left\): make room there/
    expect(cluster.dinghy('status')).toMatchObject({ code: 1, stdout: expect.stringMatching(full) })
    const apiServer = await until('a component that says so', () =>
      cluster.status().components.find(({ name, ready }) => name === 'api-server' && !ready),
    )
    expect(apiServer).toMatchObject({ reason: 'database or disk is full' })
    cluster.dinghy('down')
    expect(cluster.dinghy('up', '--detach')).toMatchObject({ code: 1, stderr: expect.stringMatching(full) })
    rmSync(filler)
    cluster.up()
    expect(cluster.kubectl(['get', 'configmap', 'before', '-o', 'name']).stdout).toBe('configmap/before\n')
    await until('everything ready', () => cluster.status().ready)
  })
})
