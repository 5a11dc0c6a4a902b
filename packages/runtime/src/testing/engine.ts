/** The Engine API of a house, but for its images, on a unix socket of its own. */
import { join } from 'node:path'
import { DockerEngine } from '@dinghy/shared/docker/engine'
import { archiveRoutes } from '../docker/archive.ts'
import { containerStreamRoutes } from '../docker/container-streams.ts'
import { containerRoutes } from '../docker/containers.ts'
import type { Deps } from '../docker/deps.ts'
import { eventRoutes } from '../docker/events.ts'
import { execRoutes } from '../docker/exec.ts'
import { networkRoutes } from '../docker/networks.ts'
import { Router } from '../docker/router.ts'
import { createDockerServer, listen } from '../docker/server.ts'
import { systemRoutes } from '../docker/system.ts'
import { volumeRoutes } from '../docker/volumes.ts'
import { newHouse } from './house.ts'

export async function newEngine() {
  const house = newHouse()
  const deps: Deps = {
    ...house,
    images: { familiesOf: async () => new Map(), list: async () => [] } as never,
    bridges: undefined,
    nameServers: undefined,
    describe: () => ({
      driver: 'linux',
      enforcesSeccomp: true,
      driverReason: 'a test',
      network: 'loopback',
      networkReason: 'a test',
      warnings: [],
    }),
    version: '1',
  }
  const server = createDockerServer({ log: house.log, version: '1' })
  const router = new Router(server, house.log)
  for (const addRoutes of [
    systemRoutes,
    containerRoutes,
    containerStreamRoutes,
    archiveRoutes,
    execRoutes,
    networkRoutes,
    volumeRoutes,
    eventRoutes,
  ])
    addRoutes(router, deps)
  const socket = join(house.root, 'docker.sock')
  await listen(server, { kind: 'unix', path: socket }, undefined)
  return {
    ...house,
    socket,
    engine: new DockerEngine(socket, { apiVersion: '1.50' }),
    close: async () => {
      await server.close(0)
      await house.close()
    },
  }
}
