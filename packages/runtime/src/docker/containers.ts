/**
 * /containers: everything that answers with JSON or nothing. Streams (attach, logs, wait, stats) are in
 * container-streams.ts, tars (cp, export) in archive.ts.
 */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Container } from '../containers/container.ts'
import { checkHostConfig, type CreateBody } from '../containers/create-body.ts'
import { inspectJson, summaryJson, type InspectContext } from '../containers/inspect.ts'
import { linkNamesOf } from '../containers/links.ts'
import { listFilters, matchesFilters, selectContainers } from '../containers/list.ts'
import type { HostConfig } from '../containers/record.ts'
import { checkRestartPolicy } from '../containers/restart-policy.ts'
import { resourcesOf } from '../containers/runtime-spec.ts'
import { directorySize } from '../containers/sizes.ts'
import { isUp, refusal } from '../containers/state.ts'
import { parseMoment } from '../timestamps.ts'
import { processTable } from '../containers/top.ts'
import { createShape, hostConfigShape } from './body-shape.ts'
import type { Deps } from './deps.ts'
import { badParameter, conflict, notFound, serverError } from '@dinghy/shared/docker/errors'
import { parseFilters } from '../filters.ts'
import { isTrue, sendEmpty, sendJson, type DockerRequest } from './request.ts'
import type { Router } from './router.ts'

export function containerRoutes(router: Router, deps: Deps): void {
  const { containers, lifecycle, images, proxies, clock } = deps
  const find = (request: DockerRequest): Container => containers.get(request.params['id'] ?? '')
  const context = (container: Container, sizes = false): InspectContext => ({
    published: proxies.published(container.id),
    now: clock.now(),
    ...(sizes ? { sizes: sizesOf(container) } : {}),
  })

  const published = ({ id }: { id: string }) => proxies.published(id)

  router.add('GET', '/containers/json', async ({ query }, reply) => {
    const filters = parseFilters(query.get('filters'), listFilters)
    const ancestors = await images.familiesOf(filters.get('ancestor') ?? [])
    const limit = Number(query.get('limit') ?? 0)
    const selected = selectContainers(
      containers.list().map(({ record }) => record),
      { all: isTrue(query.get('all')), limit: limit > 0 ? limit : 0, filters },
      (reference) => containers.get(reference).record,
      { published, descendants: new Map([...ancestors].map(([name, { descendants }]) => [name, descendants])) },
    )
    const withSizes = isTrue(query.get('size'))
    const linking = containers.records().filter(({ hostConfig }) => hostConfig.Links)
    const named = await images.familiesOf([...new Set(selected.map(({ config }) => config.Image))])
    const shown = selected.map((record) => {
      const found = containers.get(record.id)
      return summaryJson(found, {
        ...context(found, withSizes),
        imageId: named.get(record.config.Image)?.id ?? '',
        linkNames: linkNamesOf(record, linking),
      })
    })
    sendJson(reply, 200, shown)
  })

  router.add('POST', '/containers/create', async (request, reply) => {
    const body = await request.json<CreateBody>(createShape)
    const { query } = request
    const { container, warnings } = await containers.create(body, query.get('name') ?? '', query.get('platform') ?? '')
    sendJson(reply, 201, { Id: container.id, Warnings: warnings })
  })

  router.add('GET', '/containers/:id/json', (request, reply) => {
    const container = find(request)
    sendJson(reply, 200, inspectJson(container, context(container, isTrue(request.query.get('size')))))
  })

  router.add('POST', '/containers/:id/start', async (request, reply) => {
    sendEmpty(reply, (await lifecycle.start(find(request))) ? 204 : 304)
  })

  const stopOptions = ({ query }: DockerRequest) => {
    const text = query.get('t')
    const signal = query.get('signal')
    if (text !== null && text !== '' && !/^-?\d+$/.test(text)) throw badParameter(`invalid timeout: ${text}`)
    return {
      ...(text !== null && text !== '' ? { seconds: Number(text) } : {}),
      ...(signal !== null ? { signal } : {}),
    }
  }

  router.add('POST', '/containers/:id/stop', async (request, reply) => {
    sendEmpty(reply, (await lifecycle.stop(find(request), stopOptions(request))) ? 204 : 304)
  })

  router.add('POST', '/containers/:id/restart', async (request, reply) => {
    await lifecycle.restart(find(request), stopOptions(request))
    sendEmpty(reply, 204)
  })

  router.add('POST', '/containers/:id/kill', async (request, reply) => {
    await lifecycle.kill(find(request), request.query.get('signal') || 'SIGKILL')
    sendEmpty(reply, 204)
  })

  router.add('POST', '/containers/:id/pause', async (request, reply) => {
    await lifecycle.pause(find(request))
    sendEmpty(reply, 204)
  })

  router.add('POST', '/containers/:id/unpause', async (request, reply) => {
    await lifecycle.unpause(find(request))
    sendEmpty(reply, 204)
  })

  router.add('POST', '/containers/:id/rename', (request, reply) => {
    containers.rename(find(request), request.query.get('name') ?? '')
    sendEmpty(reply, 204)
  })

  router.add('DELETE', '/containers/:id', async (request, reply) => {
    const { query } = request
    // `docker rm --link` asks for a link alone; the name of a container is none.
    if (isTrue(query.get('link'))) {
      throw serverError('Conflict, cannot remove the default link name of the container')
    }
    await lifecycle.remove(find(request), { force: isTrue(query.get('force')), volumes: isTrue(query.get('v')) })
    sendEmpty(reply, 204)
  })

  router.add('DELETE', '/containers/:id/:alias', (request, reply) => {
    const { id = '', alias = '' } = request.params
    if (!isTrue(request.query.get('link'))) throw notFound(`No such container: ${id}/${alias}`)
    containers.unlink(id, alias)
    sendEmpty(reply, 204)
  })

  router.add('POST', '/containers/:id/update', async (request, reply) => {
    const container = find(request)
    await update(deps, container, await request.json<Partial<HostConfig>>(hostConfigShape))
    sendJson(reply, 200, { Warnings: [] })
  })

  router.add('POST', '/containers/:id/resize', async (request, reply) => {
    const container = find(request)
    const { running } = container.state
    if (running === undefined) throw conflict(`Container ${container.id} is not running`)
    const [height, width] = sizeOf(request)
    await containers.driver.resize(running, height, width)
    containers.publish(container, 'resize', { height: String(height), width: String(width) })
    sendEmpty(reply, 200)
  })

  router.add('GET', '/containers/:id/top', async (request, reply) => {
    const container = find(request)
    const { state, spec, id, name } = container
    const refused = refusal('top', state.status, id, name)
    if (refused !== undefined) throw refused
    if (state.running === undefined || spec === undefined) throw conflict(`container ${id} is not running`)
    const rows = await containers.driver.processes(state.running, spec)
    const table = await processTable(rows, request.query.get('ps_args') ?? '', async (args) => {
      const { stdout } = await promisify(execFile)('ps', args).catch((error: Error & { stderr: string }) => {
        throw serverError(`ps: ${error.stderr.split('\n')[0] || error.message}`)
      })
      return stdout
    })
    containers.publish(container, 'top')
    sendJson(reply, 200, table)
  })

  router.add('GET', '/containers/:id/changes', async (request, reply) => {
    const container = find(request)
    const kinds = { modify: 0, add: 1, delete: 2 }
    const changes = await containers.files.changes(container)
    sendJson(
      reply,
      200,
      changes.length === 0 ? null : changes.map(({ path, kind }) => ({ Path: path, Kind: kinds[kind] })),
    )
  })

  router.add('POST', '/containers/prune', async ({ query }, reply) => {
    const filters = parseFilters(query.get('filters'), ['label', 'label!', 'until'])
    const [until] = filters.get('until') ?? []
    const limit = until === undefined ? undefined : untilMs(until, clock.now())
    const deleted: string[] = []
    let reclaimed = 0
    for (const container of containers.list()) {
      const { record } = container
      if (isUp(record.state.status) || !matchesFilters(record, filters, { published, descendants: new Map() })) continue
      if (limit !== undefined && Date.parse(record.created) > limit) continue
      reclaimed += sizesOf(container).rw
      await lifecycle.remove(container, { force: false, volumes: false })
      deleted.push(container.id)
    }
    deps.events.publish('container', 'prune', '', { reclaimed: String(reclaimed) })
    sendJson(reply, 200, { ContainersDeleted: deleted.length === 0 ? null : deleted, SpaceReclaimed: reclaimed })
  })
}

/** Rows and columns of a resize request. */
export function sizeOf({ query }: DockerRequest): [rows: number, columns: number] {
  const [rows, columns] = [query.get('h'), query.get('w')].map(Number)
  if (!rows || !columns) throw badParameter('invalid resize: h and w must be positive numbers')
  return [rows, columns]
}

async function update(deps: Deps, container: Container, body: Partial<HostConfig>): Promise<void> {
  const { record } = container
  const { RestartPolicy, ...rest } = body
  const limits = Object.entries(rest).filter(([name, value]) => isLimit(name) && Boolean(value))
  const hostConfig: HostConfig = { ...record.hostConfig, ...Object.fromEntries(limits) }
  if (RestartPolicy?.Name) hostConfig.RestartPolicy = checkRestartPolicy(RestartPolicy, hostConfig.AutoRemove)
  // Docker raises the sum with the limit when nothing was said about it.
  if (body.Memory && !body.MemorySwap && hostConfig.MemorySwap > 0 && hostConfig.MemorySwap < body.Memory) {
    throw conflict(
      'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time',
    )
  }
  checkHostConfig(hostConfig, record.config.Labels)
  const { running } = container.state
  if (running !== undefined && container.spec !== undefined) {
    const spec = { ...container.spec, resources: resourcesOf(hostConfig) }
    if (limits.length > 0) await deps.containers.driver.update(running, spec)
    container.spec = spec
  }
  record.hostConfig = hostConfig
  container.save()
  deps.containers.publish(container, 'update')
}

const limitFields = [
  'Memory',
  'MemorySwap',
  'MemoryReservation',
  'NanoCpus',
  'CpuShares',
  'CpuQuota',
  'CpuPeriod',
  'CpusetCpus',
  'PidsLimit',
]
function isLimit(name: string): boolean {
  return limitFields.includes(name)
}

/** An `until` filter: a moment, or how long ago. */
export function untilMs(text: string, nowMs: number): number {
  const moment = parseMoment(text, nowMs)
  if (moment === undefined) throw badParameter(`invalid filter 'until=${text}'`)
  return Number(moment / 1_000_000n)
}

function sizesOf(container: Container): { rw: number; root: number } {
  const rw = directorySize(container.writableDir)
  const root = container.record.imageLayers.reduce((sum, layer) => sum + directorySize(layer), rw)
  return { rw, root }
}
