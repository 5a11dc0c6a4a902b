/**
 * Puts the runtime together: stores, driver, containers, routes, socket. The only file that knows all parts.
 */
import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '@dinghy/shared/api/clock'
import type { Logger } from '@dinghy/shared/process/logger'
import { askerAt } from './containers/asker.ts'
import type { Container } from './containers/container.ts'
import { Containers } from './containers/containers.ts'
import { Execs } from './containers/exec.ts'
import { HealthChecks } from './containers/health.ts'
import { Lifecycle } from './containers/lifecycle.ts'
import { recover } from './containers/recover.ts'
import { runOnce } from './containers/run-once.ts'
import { Runs } from './containers/runs.ts'
import { archiveRoutes } from './docker/archive.ts'
import { buildRoutes } from './docker/build.ts'
import { commitRoutes } from './docker/commit.ts'
import { containerStreamRoutes } from './docker/container-streams.ts'
import { containerRoutes } from './docker/containers.ts'
import type { Deps } from './docker/deps.ts'
import { distributionRoutes } from './docker/distribution.ts'
import { eventRoutes } from './docker/events.ts'
import { execRoutes } from './docker/exec.ts'
import { imageTransferRoutes } from './docker/image-transfer.ts'
import { imageRoutes } from './docker/images.ts'
import type { ListenAddress, TlsFiles } from './docker/listen-address.ts'
import { networkRoutes } from './docker/networks.ts'
import { Router } from './docker/router.ts'
import { createDockerServer, listen } from './docker/server.ts'
import { systemRoutes } from './docker/system.ts'
import { volumeRoutes } from './docker/volumes.ts'
import { chooseDriver, type Wanted } from './drivers/choose.ts'
import { EventBus } from './events.ts'
import { BuildCache } from '@dinghy/builder/build-cache'
import { removeBuildLeftovers } from './containers/build-leftovers.ts'
import { thisMachine } from '@dinghy/images/store/machine'
import { ImageSource } from '@dinghy/images/image-source'
import { ImageStore } from '@dinghy/images/store/image-store'
import { bridgeSpace } from './networks/bridge/address-space.ts'
import { Bridges } from './networks/bridge/bridges.ts'
import { loopback } from './networks/loopback.ts'
import { chooseMode } from './networks/mode.ts'
import { NameServers } from './networks/name-servers.ts'
import { Networks } from './networks/networks.ts'
import { PortProxies } from './networks/port-proxy.ts'
import { lockRoot } from './root-lock.ts'
import { Volumes } from './volumes/volumes.ts'

/** Shown to clients; the engine's numbers mean nothing here, but CLIs compare them. */
const version = '28.0.0-dinghy'

export interface RuntimeOptions {
  addresses: ListenAddress[]
  /** For the addresses that are TCP. */
  tls?: TlsFiles
  root: string
  driver: Wanted
  /** Name or path of runc, crun or the like, for the oci driver; empty: whichever is installed. */
  ociRuntime: string
  network: 'auto' | 'bridge' | 'loopback'
  log: Logger
  clock: Clock
  /** Aborting lets go of the containers without ending them. */
  signal: AbortSignal
}

export async function startRuntime(options: RuntimeOptions): Promise<{ driver: string; close(): Promise<void> }> {
  const { root, log, clock, signal } = options
  const unlock = lockRoot(root)
  // Both try things out, side by side.
  const choosing = chooseDriver(options.driver, root, clock, options.ociRuntime)
  const mode = await chooseMode(options.network, choosing, root)
  const { driver, snapshotter, reason } = await choosing
  const space = mode.name === 'bridge' ? bridgeSpace(mode) : loopback
  const warnings = [...driver.describe(), ...space.describe()]
  log.info({ driver: driver.name, reason, network: mode.name, networkReason: mode.reason, warnings }, 'driver chosen')

  const events = new EventBus(clock)
  const images = new ImageStore({ root, clock })
  images.content.removeUnfinished()
  await removeBuildLeftovers(clock, join(root, 'build'))
  const networks = new Networks({
    file: join(root, 'networks.json'),
    clock,
    events,
    spaces: { bridge: space, loopback },
  })
  const bridges = mode.name === 'bridge' ? new Bridges({ ...mode, root, networks, log }) : undefined
  // Questions are led to it by rules, so there must be a program that makes them.
  const nameServers =
    bridges && mode.canMasquerade
      ? new NameServers({
          networks,
          askerAt: (network, address) => askerAt(network, address, containers.records(), networks.list()),
          clock,
          log,
          signal,
        })
      : undefined
  if (nameServers === undefined) for (const network of networks.list()) networks.setDnsPort(network, undefined)
  const volumes = new Volumes({ root: join(root, 'volumes'), clock, events })
  await volumes.removeLeftovers()
  const proxies = new PortProxies(clock)
  const preload = installPreload(root)
  const stores = { images, networks, bridges, nameServers, volumes }
  const containers = new Containers({ ...stores, root, clock, log, driver, snapshotter, proxies, events, preload })
  const health = new HealthChecks(containers, clock, log)
  const runs = new Runs({ containers, clock, log, health, signal })
  const lifecycle = new Lifecycle({ containers, clock, runs })
  const execs = new Execs(containers, clock)
  await containers.load()
  const reopen = (container: Container) => containers.networking.reopen(container)
  const sweepBridges = async () => bridges?.sweep()
  await recover({ containers, lifecycle, runs, clock, log, sweepBridges, reopen })

  const server = createDockerServer({ log, version })
  const router = new Router(server, log)
  const deps: Deps = {
    root,
    clock,
    log,
    containers,
    lifecycle,
    execs,
    ...stores,
    proxies,
    events,
    describe: () => ({
      driver: driver.name,
      enforcesSeccomp: driver.enforcesSeccomp,
      driverReason: reason,
      network: mode.name,
      networkReason: mode.reason,
      warnings,
    }),
    version,
  }
  systemRoutes(router, deps)
  containerRoutes(router, deps)
  containerStreamRoutes(router, deps)
  archiveRoutes(router, deps)
  execRoutes(router, deps)
  networkRoutes(router, deps)
  volumeRoutes(router, deps)
  eventRoutes(router, deps)

  const cache = new BuildCache(root, images, clock)
  const hostBases = driver.name === 'process' ? 'prefer' : 'fallback'
  const source = new ImageSource({
    images,
    machine: thisMachine({ sharedOnly: hostBases !== 'prefer' }),
    log,
    hostBases,
  })
  imageRoutes(router, { images, source, cache, containers, events, clock })
  imageTransferRoutes(router, { images, source, events, clock })
  buildRoutes(router, {
    images,
    source,
    cache,
    snapshotter,
    runCommand: (step, signal) => runOnce(driver, step, signal),
    clock,
    directory: join(root, 'build'),
    events,
  })
  commitRoutes(router, { images, containers, driver, events, clock })
  distributionRoutes(router)

  for (const address of options.addresses) {
    await listen(server, address, options.tls)
    log.info({ address }, 'serving the Docker Engine API')
  }
  return {
    driver: driver.name,
    close: async () => {
      // Nobody is waited for: containers run on, and the next runtime answers whoever asks again.
      await Promise.all([server.close(0), proxies.close(), nameServers?.closeAll()])
      await bridges?.close()
      await snapshotter.close()
      await driver.close()
      unlock()
    },
  }
}

/** A copy, because containers keep it mounted while this program may be replaced. */
function installPreload(root: string): string {
  const source = new URL('networks/preload.cjs', import.meta.url).pathname
  const path = join(root, 'preload.cjs')
  mkdirSync(root, { recursive: true })
  copyFileSync(source, path)
  return path
}
