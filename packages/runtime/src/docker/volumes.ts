/**
 * /volumes
 */
import { directorySize } from '../containers/sizes.ts'
import type { Volume, VolumeRequest } from '../volumes/volumes.ts'
import { volumeShape } from './body-shape.ts'
import type { Deps } from './deps.ts'
import { anyOf, labelsMatch, matchesText, parseFilters } from '../filters.ts'
import { isTrue, sendEmpty, sendJson, type DockerRequest } from './request.ts'
import type { Router } from './router.ts'

export function volumeRoutes(router: Router, { volumes, containers, events }: Deps): void {
  const nameOf = (request: DockerRequest): string => request.params['name'] ?? ''

  router.add('GET', '/volumes', ({ query }, reply) => {
    const filters = parseFilters(query.get('filters'), ['dangling', 'driver', 'label', 'name'])
    const selected = volumes
      .list()
      .filter(
        (volume) =>
          anyOf(filters, 'name', (name) => matchesText(name, volume.name)) &&
          anyOf(filters, 'driver', (driver) => driver === 'local') &&
          anyOf(
            filters,
            'dangling',
            (dangling) => isTrue(dangling) === (containers.usersOf(volume.name).length === 0),
          ) &&
          labelsMatch(filters, volume.labels),
      )
    sendJson(reply, 200, { Volumes: selected.map((volume) => volumeJson(volume)), Warnings: null })
  })

  router.add('POST', '/volumes/create', async (request, reply) => {
    sendJson(reply, 201, volumeJson(volumes.create(await request.json<VolumeRequest>(volumeShape))))
  })

  router.add('GET', '/volumes/:name', (request, reply) => {
    sendJson(reply, 200, volumeJson(volumes.get(nameOf(request))))
  })

  router.add('DELETE', '/volumes/:name', async (request, reply) => {
    const name = nameOf(request)
    await volumes.remove(name, containers.usersOf(name), isTrue(request.query.get('force')))
    sendEmpty(reply, 204)
  })

  router.add('POST', '/volumes/prune', async ({ query }, reply) => {
    const filters = parseFilters(query.get('filters'), ['all', 'label', 'label!'])
    // Since API 1.42 only anonymous volumes, unless all are asked for.
    const includesNamed = (filters.get('all') ?? []).some(isTrue)
    const unused = volumes
      .list()
      .filter(
        (volume) =>
          (includesNamed || volume.anonymous) &&
          containers.usersOf(volume.name).length === 0 &&
          labelsMatch(filters, volume.labels),
      )
    let SpaceReclaimed = 0
    for (const { name, mountpoint } of unused) {
      SpaceReclaimed += directorySize(mountpoint)
      await volumes.remove(name, [])
    }
    events.publish('volume', 'prune', '', { reclaimed: String(SpaceReclaimed) })
    sendJson(reply, 200, {
      VolumesDeleted: unused.length === 0 ? null : unused.map(({ name }) => name),
      SpaceReclaimed,
    })
  })
}

export function volumeJson(volume: Volume, usage?: { Size: number; RefCount: number }): object {
  return {
    CreatedAt: volume.createdAt,
    Driver: 'local',
    Labels: Object.keys(volume.labels).length > 0 ? volume.labels : null,
    Mountpoint: volume.mountpoint,
    Name: volume.name,
    Options: Object.keys(volume.options).length > 0 ? volume.options : null,
    Scope: 'local',
    ...(usage !== undefined ? { UsageData: usage } : {}),
  }
}
