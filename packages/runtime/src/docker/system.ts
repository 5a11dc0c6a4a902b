/**
 * /_ping, /version, /info, /system/df, and the answers for what this runtime is not: a swarm.
 */
import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { arch, cpus, hostname, release, totalmem, type as osType } from 'node:os'
import { join } from 'node:path'
import { summaryJson } from '../containers/inspect.ts'
import { directorySize } from '../containers/sizes.ts'
import { userNamespace } from '@dinghy/images/files/user-namespace'
import type { Deps } from './deps.ts'
import { badParameter, DockerError, notFound } from '@dinghy/shared/docker/errors'
import { sendJson } from './request.ts'
import type { Router } from './router.ts'
import { apiVersion, minApiVersion } from './api-version.ts'
import { volumeJson } from './volumes.ts'
import { formatMs } from '../timestamps.ts'

/** What `docker system df` can be asked for; all of it unless it is. */
const dfTypes = ['container', 'image', 'volume', 'build-cache']

export function systemRoutes(router: Router, deps: Deps): void {
  router.add('GET', '/_ping', (_request, reply) => {
    const headers = {
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': 'no-cache, no-store, must-revalidate',
      pragma: 'no-cache',
      swarm: 'inactive',
    }
    void reply.headers(headers).send('OK')
  })

  router.add('GET', '/version', (_request, reply) => sendJson(reply, 200, versionJson(deps.version)))
  router.add('GET', '/info', async (_request, reply) => sendJson(reply, 200, await infoJson(deps)))

  router.add('GET', '/system/df', async ({ query }, reply) => {
    const types = query.getAll('type')
    const unknown = types.find((type) => !dfTypes.includes(type))
    if (unknown !== undefined) throw badParameter(`unknown object type: ${unknown}`)
    const wants = (type: string) => types.length === 0 || types.includes(type)
    const { containers, images, volumes, proxies, clock } = deps
    const all = wants('image') ? await images.list() : []
    const usersOf = (id: string) => containers.list().filter(({ record }) => record.imageId === id).length
    sendJson(reply, 200, {
      LayersSize: [...new Set(all.flatMap(({ layers }) => layers))].reduce(
        (sum, layer) => sum + directorySize(layer),
        0,
      ),
      Images: all.map((image) => ({
        Id: image.id,
        ParentId: image.parent ?? '',
        RepoTags: image.repoTags,
        RepoDigests: image.repoDigests,
        Created: Math.floor(Date.parse(image.created) / 1000),
        Size: image.size,
        SharedSize: 0,
        Labels: image.config.config.Labels ?? null,
        Containers: usersOf(image.id),
      })),
      Containers: (wants('container') ? containers.list() : []).map((container) => {
        const rw = directorySize(container.writableDir)
        return summaryJson(container, {
          published: proxies.published(container.id),
          now: clock.now(),
          sizes: { rw, root: rw },
        })
      }),
      Volumes: (wants('volume') ? volumes.list() : []).map((volume) =>
        volumeJson(volume, {
          Size: directorySize(volume.mountpoint),
          RefCount: containers.usersOf(volume.name).length,
        }),
      ),
      BuildCache: [],
    })
  })

  // `docker inspect` ends its search here.
  router.add('GET', '/plugins', (_request, reply) => sendJson(reply, 200, []))
  router.add('GET', '/plugins/:name/json', ({ params }) => {
    throw notFound(`plugin "${params['name']}" not found`)
  })
  swarmRoutes(router)
}

const notManager =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.'

/** What dockerd says as long as it is in no swarm; and that this one will never be. */
function swarmRoutes(router: Router): void {
  const refuse = (status: number, message: string) => () => {
    throw new DockerError(status, message)
  }
  for (const path of ['/swarm/init', '/swarm/join'])
    router.add('POST', path, refuse(501, 'swarms are not supported: this engine is a node of its own'))
  router.add('POST', '/swarm/leave', refuse(503, 'This node is not part of a swarm'))
  for (const path of ['/swarm', '/swarm/unlockkey']) router.add('GET', path, refuse(503, notManager))
  for (const path of ['/swarm/update', '/swarm/unlock']) router.add('POST', path, refuse(503, notManager))
  for (const kind of ['nodes', 'services', 'tasks', 'secrets', 'configs']) {
    router.add('GET', `/${kind}`, refuse(503, notManager))
    for (const method of ['GET', 'POST', 'DELETE'] as const) router.add(method, `/${kind}/*`, refuse(503, notManager))
  }
}

/** Of this engine, for ever. */
function engineId(root: string): string {
  const file = join(root, 'engine-id')
  if (!existsSync(file)) writeFileSync(file, randomUUID())
  return readFileSync(file, 'utf8')
}

/** Architectures as Go, and so Docker, names them. */
const goNames: Record<string, string> = { x64: 'amd64', ia32: '386' }
const unameNames: Record<string, string> = { x64: 'x86_64', arm64: 'aarch64' }
function goArch(): string {
  return goNames[arch()] ?? arch()
}
function unameArch(): string {
  return unameNames[arch()] ?? arch()
}

function versionJson(version: string): object {
  const details = {
    ApiVersion: apiVersion,
    MinAPIVersion: minApiVersion,
    Os: 'linux',
    Arch: goArch(),
    KernelVersion: release(),
    Experimental: 'false',
    // The CLI prints these of every server.
    GitCommit: '',
    GoVersion: '',
    BuildTime: '',
  }
  return {
    Platform: { Name: 'Dinghy' },
    Components: [{ Name: 'Engine', Version: version, Details: details }],
    Version: version,
    ...details,
    Experimental: false,
    NodeVersion: process.versions.node,
  }
}

async function infoJson(deps: Deps): Promise<object> {
  const { containers, images, root } = deps
  const { driver, driverReason, enforcesSeccomp, network, networkReason, warnings } = deps.describe()
  const isolates = driver !== 'process'
  const all = containers.list()
  const count = (...statuses: string[]) => all.filter(({ state }) => statuses.includes(state.status)).length
  return {
    ID: engineId(root),
    Containers: all.length,
    ContainersRunning: count('running', 'restarting'),
    ContainersPaused: count('paused'),
    ContainersStopped: count('created', 'exited', 'dead', 'removing'),
    Images: (await images.list()).length,
    Driver: isolates ? 'overlay2' : 'vfs',
    DriverStatus: [
      ['Container driver', driver],
      ['Chosen because', driverReason],
      ['Network mode', network],
      ['Network mode chosen because', networkReason],
    ],
    Plugins: {
      Volume: ['local'],
      Network: ['bridge', 'host', 'loopback', 'null'],
      Authorization: null,
      Log: ['json-file', 'local', 'none'],
    },
    MemoryLimit: true,
    SwapLimit: true,
    CpuCfsPeriod: true,
    CpuCfsQuota: true,
    CPUShares: true,
    CPUSet: true,
    PidsLimit: true,
    IPv4Forwarding: true,
    OomKillDisable: false,
    Debug: false,
    NFd: -1,
    NGoroutines: -1,
    SystemTime: formatMs(deps.clock.now()),
    LoggingDriver: 'json-file',
    CgroupDriver: isolates ? 'cgroupfs' : 'none',
    ...(isolates ? { CgroupVersion: existsSync('/sys/fs/cgroup/cgroup.controllers') ? '2' : '1' } : {}),
    NEventsListener: 0,
    KernelVersion: release(),
    OperatingSystem: osType(),
    OSVersion: '',
    OSType: 'linux',
    Architecture: unameArch(),
    IndexServerAddress: 'https://index.docker.io/v1/',
    RegistryConfig: { IndexConfigs: {}, InsecureRegistryCIDRs: ['127.0.0.0/8'], Mirrors: [] },
    NCPU: cpus().length,
    MemTotal: totalmem(),
    GenericResources: null,
    DockerRootDir: root,
    HttpProxy: '',
    HttpsProxy: '',
    NoProxy: '',
    Name: hostname(),
    Labels: [],
    ExperimentalBuild: false,
    ServerVersion: deps.version,
    Runtimes: { [driver]: { path: driver } },
    DefaultRuntime: driver,
    Swarm: {
      NodeID: '',
      NodeAddr: '',
      LocalNodeState: 'inactive',
      ControlAvailable: false,
      Error: '',
      RemoteManagers: null,
    },
    LiveRestoreEnabled: true,
    Isolation: '',
    InitBinary: '',
    SecurityOptions: [
      ...(enforcesSeccomp ? ['name=seccomp,profile=builtin'] : []),
      ...(userNamespace().isNested ? ['name=rootless'] : []),
    ],
    Warnings: warnings,
  }
}
