/** The acting half of the runtime on a fake driver, a fake snapshotter and a fake clock, in a directory of its own. */
import { setMaxListeners } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Image } from '@dinghy/images/store/image-store'
import { FakeClock } from '@dinghy/shared/api/clock'
import { createLogger } from '@dinghy/shared/process/logger'
import type { Container } from '../containers/container.ts'
import { Containers } from '../containers/containers.ts'
import type { CreateBody } from '../containers/create-body.ts'
import { Execs } from '../containers/exec.ts'
import { HealthChecks } from '../containers/health.ts'
import { Lifecycle } from '../containers/lifecycle.ts'
import type { Cables } from '../containers/networking.ts'
import { recover } from '../containers/recover.ts'
import { Runs } from '../containers/runs.ts'
import { EventBus } from '../events.ts'
import { bridgeSpace } from '../networks/bridge/address-space.ts'
import { loopback } from '../networks/loopback.ts'
import type { NameServers } from '../networks/name-servers.ts'
import { Networks } from '../networks/networks.ts'
import { PortProxies } from '../networks/port-proxy.ts'
import { Volumes } from '../volumes/volumes.ts'
import { FakeDriver } from './fake-driver.ts'
import { FakeSnapshotter } from './fake-snapshotter.ts'

const image: Image = {
  id: 'sha256:1234',
  config: {
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [] },
    config: { Cmd: ['serve'], Env: ['PATH=/bin'] },
  },
  layers: [],
  hostBase: false,
  parent: undefined,
  repoTags: ['box:latest'],
  repoDigests: [],
  created: '2025-01-01T00:00:00Z',
  lastTagged: 0,
  size: 0,
}

/** What is written to the logger is the test's. */
export function newHouse(
  options: {
    root?: string
    cables?: Cables
    nameServers?: Pick<NameServers, 'open'>
    driver?: FakeDriver
    clock?: FakeClock
  } = {},
) {
  const root = options.root ?? mkdtempSync(join(tmpdir(), 'house-'))
  const clock = options.clock ?? new FakeClock()
  const logged: string[] = []
  const log = createLogger({ name: 'runtime', level: 'warn', clock, write: (line) => void logged.push(line) })
  const events = new EventBus(clock)
  const told: string[] = []
  const stop = new AbortController()
  setMaxListeners(0, stop.signal)
  events.subscribe(({ Action }) => void told.push(Action), stop.signal)
  const driver = options.driver ?? new FakeDriver(() => clock.now())
  const snapshotter = new FakeSnapshotter()
  const bridge = options.cables === undefined ? loopback : bridgeSpace({ canMasquerade: true })
  const networks = new Networks({ file: join(root, 'networks.json'), clock, events, spaces: { bridge, loopback } })
  const volumes = new Volumes({ root: join(root, 'volumes'), clock, events })
  const proxies = new PortProxies(clock)
  const preload = join(root, 'preload.cjs')
  writeFileSync(preload, '')
  const containers = new Containers({
    root,
    clock,
    log,
    driver,
    snapshotter,
    images: { resolve: async () => image },
    networks,
    bridges: options.cables,
    nameServers: options.nameServers,
    proxies,
    volumes,
    events,
    preload,
  })
  const health = new HealthChecks(containers, clock, log)
  const runs = new Runs({ containers, clock, log, health, signal: stop.signal })
  const lifecycle = new Lifecycle({ containers, clock, runs })
  const execs = new Execs(containers, clock)
  return {
    root,
    clock,
    log,
    logged,
    told,
    stop,
    driver,
    snapshotter,
    networks,
    volumes,
    proxies,
    containers,
    runs,
    lifecycle,
    execs,
    events,
    create: async (command: string[], body: Partial<CreateBody> = {}, name = ''): Promise<Container> =>
      (await containers.create({ Image: 'box', Cmd: command, ...body }, name)).container,
    /** As a runtime does that starts. */
    recover: async () => {
      await containers.load()
      await recover({
        containers,
        lifecycle,
        runs,
        clock,
        log,
        sweepBridges: async () => undefined,
        reopen: (container) => containers.networking.reopen(container),
      })
    },
    /** Lets go of the containers, as a runtime that stops. */
    close: async (keepsFiles = false) => {
      stop.abort()
      await proxies.close()
      if (keepsFiles) return
      await driver.close()
      rmSync(root, { recursive: true, force: true })
    },
  }
}
