import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdtemp, readFile, rm, stat, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FakeClock } from '@dinghy/shared/api/clock'
import { Secrets } from '@dinghy/shared/api/resources'
import type { PodSpec, Volume } from '@dinghy/shared/api/types'
import { ApiClient } from '@dinghy/shared/client/api-client'
import { createLogger } from '@dinghy/shared/process/logger'
import { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import { container, pod, podUid, secret } from '../testing/objects.ts'
import { PodVolumes } from './pod-volumes.ts'
import { ReferencedObjects } from './referenced-objects.ts'
import { ServiceAccountTokens } from './service-account-tokens.ts'

let root: string
let api: TinyApiServer
let tokenServer: Server
/** Bodies of the requests for tokens. */
let asked: { spec: { audiences: string[]; expirationSeconds: number; boundObjectRef: object } }[]
let refusing: boolean
let clock: FakeClock
let objects: ReferencedObjects
let volumes: PodVolumes

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'pod-volumes-'))
  api = await TinyApiServer.start()
  clock = new FakeClock()
  asked = []
  refusing = false
  tokenServer = createServer((request, response) => {
    let text = ''
    request.on('data', (chunk) => (text += String(chunk)))
    request.on('end', () => {
      asked.push(JSON.parse(text) as (typeof asked)[0])
      const expirationTimestamp = new Date(clock.now() + 3_600_000).toISOString()
      const status = { token: `token-${asked.length}`, expirationTimestamp }
      const body = refusing ? { kind: 'Status', message: 'no such account', code: 404, reason: 'NotFound' } : { status }
      response.writeHead(refusing ? 404 : 201, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
    })
  })
  await new Promise<void>((resolve) => tokenServer.listen(0, '127.0.0.1', resolve))
  const { port } = tokenServer.address() as AddressInfo
  const log = createLogger({ name: 'test', clock, write: () => undefined })
  const client = new ApiClient({ server: api.url, userAgent: 'test' })
  objects = new ReferencedObjects(client, { clock, log }, () => undefined)
  const accounts = new ApiClient({ server: `http://127.0.0.1:${port}`, userAgent: 'test' })
  const tokens = new ServiceAccountTokens(accounts, clock)
  volumes = new PodVolumes({ root, client, objects, tokens, clock })
})

afterEach(async () => {
  await volumes.teardown(podUid)
  objects.stop()
  await api.close()
  await new Promise((resolve) => {
    tokenServer.close(resolve)
    tokenServer.closeAllConnections()
  })
  await rm(root, { recursive: true })
})

const place = { podIPs: [], hostIPs: [], allocatable: {} }
const signal = new AbortController().signal
function mount(volume: Omit<Volume, 'name'>, spec: Partial<PodSpec> = {}) {
  return volumes.mount(pod({ volumes: [{ name: 'v', ...volume }], ...spec }), place, signal)
}
async function modeOf(path: string): Promise<string> {
  return ((await stat(path)).mode & 0o777).toString(8)
}

test('a Secret of mode 0400 stays unwritable for the fsGroup', async () => {
  api.put(Secrets, secret('login', { key: 'k' }))
  const fsGroup = process.getgid?.() ?? 0
  const { paths } = await mount(
    { secret: { secretName: 'login', defaultMode: 0o400 } },
    { securityContext: { fsGroup } },
  )
  expect(await modeOf(join(paths.get('v') ?? '', 'key'))).toBe('440')
})

describe('a service account token', () => {
  const serviceAccountToken = { path: 'token', audience: 'vault', expirationSeconds: 3600 }
  const projected = { defaultMode: 0o644, sources: [{ serviceAccountToken }] }
  const runAsUser = process.getuid?.() ?? 0
  const spec = { containers: [container({ securityContext: { runAsUser } })] }

  test('is asked for this pod and audience, and belongs to the user that all containers run as', async () => {
    const { paths, refreshAt } = await mount({ projected }, spec)
    const file = join(paths.get('v') ?? '', 'token')
    expect(await readFile(file, 'utf8')).toBe('token-1')
    expect(await modeOf(file)).toBe('600')
    expect((await stat(file)).uid).toBe(runAsUser)
    const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name: 'web', uid: podUid }
    expect(asked.map((one) => one.spec)).toEqual([{ audiences: ['vault'], expirationSeconds: 3600, boundObjectRef }])
    expect(refreshAt).toBe(clock.now() + 0.8 * 3_600_000)
  })

  test('is kept until a fifth of its life is left', async () => {
    await mount({ projected }, spec)
    await clock.advance(0.8 * 3_600_000 - 1)
    await mount({ projected }, spec)
    expect(asked).toHaveLength(1)
    await clock.advance(1)
    const { paths } = await mount({ projected }, spec)
    expect(await readFile(join(paths.get('v') ?? '', 'token'), 'utf8')).toBe('token-2')
  })

  test('that cannot be had is a failed mount', async () => {
    refusing = true
    await expect(mount({ projected }, spec)).rejects.toThrow(
      'MountVolume.SetUp failed for volume "v" : failed to fetch token: no such account',
    )
  })
})

describe('emptyDir', () => {
  test('is for everybody, and goes with the pod', async () => {
    const { paths, warnings } = await mount({ emptyDir: {} })
    const path = paths.get('v') ?? ''
    expect([await modeOf(path), warnings]).toEqual(['777', []])
    await volumes.teardown(podUid)
    await expect(stat(path)).rejects.toThrow('ENOENT')
  })

  test('of memory is on a tmpfs where there is one, and says so where there is none', async () => {
    const { paths, warnings } = await mount({ emptyDir: { medium: 'Memory' } })
    const path = paths.get('v') ?? ''
    const { type } = await statfs(path)
    const inMemory = path.startsWith('/dev/shm/')
    expect(inMemory ? type : warnings).toEqual(inMemory ? 0x01021994 : [expect.stringContaining('no memory-backed')])
    await volumes.teardown(podUid)
    await expect(stat(path)).rejects.toThrow('ENOENT')
  })
})

test('a kind of volume that there is no plugin for is a failed mount', async () => {
  await expect(mount({ nfs: { server: 's', path: '/' } })).rejects.toThrow(
    'MountVolume.SetUp failed for volume "v" : no volume plugin matched: this node has none for "nfs"',
  )
})
