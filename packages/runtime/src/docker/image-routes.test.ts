import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FakeClock, systemClock } from '@dinghy/shared/api/clock'
import { DockerEngine } from '@dinghy/shared/docker/engine'
import type { HttpServer } from '@dinghy/shared/http/server'
import { readText } from '@dinghy/shared/http/client'
import { createLogger } from '@dinghy/shared/process/logger'
import { BuildCache } from '@dinghy/builder/build-cache'
import { tarStream } from '@dinghy/images/files/tar'
import { ImageSource } from '@dinghy/images/image-source'
import { imagesToSave, saveImages } from '@dinghy/images/store/archive'
import { ImageStore } from '@dinghy/images/store/image-store'
import { thisMachine } from '@dinghy/images/store/machine'
import { type DockerEvent, EventBus } from '../events.ts'
import { buildRoutes } from './build.ts'
import { imageTransferRoutes } from './image-transfer.ts'
import { imageRoutes } from './images.ts'
import { Router } from './router.ts'
import { createDockerServer, listen } from './server.ts'

let root: string
let images: ImageStore
let engine: DockerEngine
let server: HttpServer
/** "action id name" of what has happened so far. */
let told: string[]
let heard: DockerEvent[]
/** What each RUN was given. */
let runs: { extraHosts?: readonly string[]; limits?: object }[]

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'image-routes-'))
  const clock = new FakeClock()
  images = new ImageStore({ root, clock })
  const events = new EventBus(clock)
  told = []
  heard = []
  const note = (event: DockerEvent) => {
    heard.push(event)
    told.push(`${event.Action} ${event.Actor.ID.slice(0, 14)} ${event.Actor.Attributes['name']}`)
  }
  events.subscribe(note, new AbortController().signal)
  runs = []
  const log = createLogger({ name: 'test', clock: systemClock, write: () => undefined })
  const source = new ImageSource({ images, machine: thisMachine(), log, hostBases: 'prefer' })
  const cache = new BuildCache(root, images, clock)
  server = createDockerServer({ log, version: '1' })
  const router = new Router(server, log)
  const snapshotter = {
    prepare: () => Promise.resolve(),
    changes: () => Promise.resolve([]),
    changedDirectory: () => Promise.resolve(''),
    pathIn: () => Promise.resolve(''),
    cleanup: () => Promise.resolve(),
  }
  imageRoutes(router, { images, source, cache, containers: { list: () => [] }, events, clock } as never)
  imageTransferRoutes(router, { images, source, events, clock })
  buildRoutes(router, {
    images,
    source,
    cache,
    snapshotter,
    runCommand: (options) => {
      runs.push(options)
      return Promise.resolve(0)
    },
    clock,
    directory: join(root, 'build'),
    events,
  })
  const path = join(root, 'docker.sock')
  await listen(server, { kind: 'unix', path }, undefined)
  engine = new DockerEngine(path, { apiVersion: '1.43' })
})
afterEach(async () => {
  await server.close(0)
  rmSync(root, { recursive: true, force: true })
})

function tar(files: Record<string, string>): Readable {
  return tarStream(async (archive) => {
    for (const [name, text] of Object.entries(files)) {
      const content = Buffer.from(text)
      const header = { name, type: 'file' as const, mode: 0o644, uid: 0, gid: 0, mtime: new Date(0) }
      await archive.add({ ...header, size: content.length }, content)
    }
  })
}

async function imported(query: object = {}): Promise<string> {
  const body = tar({ file: 'x' })
  const { body: answer } = await engine.request('POST', '/images/create', { query: { fromSrc: '-', ...query }, body })
  return (JSON.parse((await readText({ body: answer })).trim()) as { status: string }).status
}

test.each([
  ['no archive at all', 'rubbish'],
  ['an archive of something else', undefined],
])('a load of %s is 200, and an error in the stream', async (_case, text) => {
  const body = text === undefined ? tar({ 'manifest.json': '{}' }) : Readable.from([Buffer.from(text)])
  const { status, body: answer } = await engine.request('POST', '/images/load', { body })
  expect(status).toBe(200)
  expect(JSON.parse(await readText({ body: answer }))).toMatchObject({
    errorDetail: { message: expect.any(String) as string },
  })
})

test('an import of rubbish is the client’s mistake', async () => {
  const body = Readable.from([Buffer.alloc(2048, 'rubbish')])
  await expect(engine.request('POST', '/images/create?fromSrc=-', { body })).rejects.toMatchObject({ status: 400 })
})

test('an import is for the platform that was asked for', async () => {
  const image = await images.resolve(await imported({ platform: 'linux/s390x' }))
  expect(image.config).toMatchObject({ os: 'linux', architecture: 's390x' })
  const answer = await engine
    .request('POST', '/images/create?fromSrc=-&platform=a/b/c/d', { body: tar({}) })
    .catch(String)
  expect(answer).toContain('platform')
})

test('events name the image by its id, and the name that they are about', async () => {
  const id = await imported()
  const short = id.slice(0, 14)
  await engine.json('POST', `/images/${id}/tag?repo=me/b`)
  await engine.json('POST', `/images/${id}/tag?repo=me/a&tag=1`)
  await engine.json('DELETE', '/images/me/b')
  const saved = await buffer(saveImages(images, await imagesToSave(images, ['me/a:1'])))
  await readText(await engine.request('POST', '/images/load', { body: Readable.from([saved]) }))
  expect(told).toEqual([
    `import ${short} ${id}`,
    `tag ${short} me/b:latest`,
    `tag ${short} me/a:1`,
    `untag ${short} ${id}`,
    `load ${short} ${id}`,
  ])
})

test('a built image is told of before it has a name, with its labels, until it is deleted', async () => {
  const body = tar({ Dockerfile: 'FROM scratch\nLABEL who=me name=x' })
  await readText(await engine.request('POST', '/build?t=app', { body }))
  const { id } = await images.resolve('app')
  await engine.text('DELETE', '/images/app')
  const labels = { who: 'me' }
  expect(heard.map(({ Action, id: of, Actor }) => [Action, of, Actor.Attributes])).toEqual([
    ['create', id, { ...labels, name: id }],
    ['tag', id, { ...labels, name: 'app:latest' }],
    ['untag', id, { ...labels, name: id }],
    ['delete', id, { name: id }],
  ])
})

test('the limits of a build are those of every RUN', async () => {
  await imported({ repo: 'base' })
  const body = tar({ Dockerfile: 'FROM base\nRUN x' })
  const ulimits = encodeURIComponent('[{"Name":"nofile","Soft":5,"Hard":6}]')
  await readText(await engine.request('POST', `/build?shmsize=65536&ulimits=${ulimits}`, { body }))
  expect(runs[0]?.limits).toEqual({ shmSizeBytes: 65_536, ulimits: [{ name: 'nofile', soft: 5, hard: 6 }] })
})

test('a build hears of hosts and cache sources, and tells of its own tag', async () => {
  await imported({ repo: 'base' })
  const build = async (query: string) => {
    const body = tar({ Dockerfile: 'FROM base\nRUN x' })
    return readText(await engine.request('POST', `/build?t=z&t=a:1&${query}`, { body }))
  }
  const text = await build('extrahosts=db:10.0.0.1&extrahosts=six=::1&cachefrom=["me/none"]')
  expect(runs[0]?.extraHosts).toEqual(['db:10.0.0.1', 'six:::1'])
  expect(text).toContain('the cache source me/none is not on this machine')
  expect(told.filter((event) => event.startsWith('tag ')).map((event) => event.split(' ')[2])).toEqual([
    'z:latest',
    'a:1',
  ])
  for (const [query, message] of [
    ['extrahosts=nonsense', 'bad format for add-host: "nonsense"'],
    ['cachefrom={}', 'error reading cachefrom'],
    ['cachefrom=[', 'error reading cachefrom'],
  ] as const)
    await expect(build(query)).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining(message) as string,
    })
})

test.each([
  '/images/create?fromImage=box&tag=UPPER%2F',
  '/images/create?fromImage=box&tag=sha256:abc',
  '/images/create?fromSrc=-&repo=a&tag=%2F%2F',
  '/images/a%00b/tag?repo=x',
  '/build?buildargs=5',
  '/build?buildargs=[null]',
  '/build?buildargs={"A":{}}',
  '/build?labels="x"',
  '/build?labels={"A":"%5Cu0000"}',
  '/build?cachefrom={}',
  '/build?shmsize=-1',
  '/build?ulimits=[{"Name":"nofile"}]',
  '/build?ulimits=[{"Name":"x;reboot","Soft":1,"Hard":1}]',
])('POST %s is the client’s mistake', async (path) => {
  await expect(engine.text('POST', path)).rejects.toMatchObject({ status: 400 })
})

test.each([
  ['memory=1000000', 'memory'],
  ['cpusetcpus=0', 'cpusetcpus'],
  ['cgroupparent=x', 'cgroupparent'],
  ['squash=1', 'squash'],
  ['securityopt=["x"]', 'securityopt'],
])('a build with %s is refused', async (query, option) => {
  const nothing = 'memory=0&cpushares=0&shmsize=0&ulimits=[]&ulimits=null&cgroupparent='
  await expect(engine.text('POST', `/build?${nothing}`)).rejects.not.toThrow('is not supported for builds')
  await expect(engine.text('POST', `/build?${nothing}&${query}`)).rejects.toMatchObject({
    status: 400,
    message: `the option ${option} is not supported for builds`,
  })
})
