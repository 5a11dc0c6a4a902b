/**
 * What the handlers of the Docker API are given: the parts of the runtime, made once in runtime.ts.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import type { Logger } from '@dinghy/shared/process/logger'
import type { Containers } from '../containers/containers.ts'
import type { Execs } from '../containers/exec.ts'
import type { Lifecycle } from '../containers/lifecycle.ts'
import type { EventBus } from '../events.ts'
import type { ImageStore } from '@dinghy/images/store/image-store'
import type { Bridges } from '../networks/bridge/bridges.ts'
import type { NameServers } from '../networks/name-servers.ts'
import type { Networks } from '../networks/networks.ts'
import type { PortProxies } from '../networks/port-proxy.ts'
import type { Volumes } from '../volumes/volumes.ts'

/** What the routes of containers, networks, volumes and the system work with. */
export interface Deps {
  root: string
  clock: Clock
  log: Logger
  containers: Containers
  lifecycle: Lifecycle
  execs: Execs
  images: ImageStore
  networks: Networks
  /** Absent where networks are loopback networks only. */
  bridges: Bridges | undefined
  nameServers: Pick<NameServers, 'close'> | undefined
  proxies: PortProxies
  volumes: Volumes
  events: EventBus
  /** Facts of `docker info`: which driver and network are in force, why, and what they do not isolate. */
  describe: () => {
    driver: string
    enforcesSeccomp: boolean
    driverReason: string
    network: string
    networkReason: string
    warnings: string[]
  }
  version: string
}
