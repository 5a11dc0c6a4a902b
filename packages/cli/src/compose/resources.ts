// What containers need before they exist: networks, volumes, images, and secrets and configs as files.

import { mkdirSync, writeFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { packContext } from '../docker/context.ts'
import { type Engine, EngineError } from '../docker/engine.ts'
import { ComposeError } from './load/normalize.ts'
import type { FileSource, Project, Service } from './model.ts'
import { report, step } from './progress.ts'
import { type FilePaths, imageName, label } from './spec.ts'

export async function ensureNetworks(engine: Engine, project: Project, services: Service[]): Promise<void> {
  const used = new Set(services.flatMap((service) => Object.keys(service.networks)))
  for (const [key, network] of Object.entries(project.networks)) {
    if (!used.has(key) || (await exists(engine, `/networks/${encodeURIComponent(network.name)}`))) continue
    if (network.external) throw new ComposeError(`network ${network.name} declared as external, but could not be found`)
    const body = {
      Name: network.name,
      CheckDuplicate: true,
      Driver: network.driver ?? 'bridge',
      Internal: network.internal ?? false,
      Labels: { ...network.labels, [label.project]: project.name, [label.network]: key },
      ...(network.ipam?.config && {
        IPAM: { Config: network.ipam.config.map(({ subnet, gateway }) => ({ Subnet: subnet, Gateway: gateway })) },
      }),
    }
    await step(`Network ${network.name}`, 'Creating', 'Created', () => engine.json('POST', '/networks/create', body))
  }
}

export async function ensureVolumes(engine: Engine, project: Project, services: Service[]): Promise<void> {
  const used = new Set(
    services.flatMap((service) => service.volumes.map(({ type, source }) => (type === 'volume' ? source : undefined))),
  )
  for (const [key, volume] of Object.entries(project.volumes)) {
    if (!used.has(key) || (await exists(engine, `/volumes/${encodeURIComponent(volume.name)}`))) continue
    if (volume.external) throw new ComposeError(`external volume "${volume.name}" not found`)
    const body = {
      Name: volume.name,
      Driver: volume.driver ?? 'local',
      DriverOpts: volume.driver_opts ?? {},
      Labels: { ...volume.labels, [label.project]: project.name, [label.volume]: key },
    }
    await step(`Volume ${volume.name}`, 'Creating', 'Created', () => engine.json('POST', '/volumes/create', body))
  }
}

/** The image's id; builds or pulls what is missing, as `pull_policy` and --build say. */
export async function ensureImage(
  engine: Engine,
  project: Project,
  service: Service,
  options: { build?: boolean } = {},
): Promise<string> {
  const name = imageName(project, service)
  const path = `/images/${name}/json`
  const policy = service.pull_policy ?? 'missing'
  const isThere = await exists(engine, path)
  if (service.build && (options.build || policy === 'build' || !isThere)) await buildImage(engine, project, service)
  else if (!service.build && (policy === 'always' || !isThere)) {
    if (policy === 'never')
      throw new ComposeError(
        `service "${service.name}" needs the image ${name}, which is not there (pull_policy: never)`,
      )
    await pullImage(engine, service, name)
  }
  return (await engine.json<{ Id: string }>('GET', path)).Id
}

export async function pullImage(engine: Engine, service: Service, name: string): Promise<void> {
  await step(service.name, `Pulling ${name}`, 'Pulled', async () => {
    const lines = engine.progress('POST', `/images/create?fromImage=${encodeURIComponent(name)}`)
    for await (const { status } of lines) if (status?.startsWith('Warning')) console.error(status)
  })
}

export async function buildImage(
  engine: Engine,
  project: Project,
  service: Service,
  options: { noCache?: boolean } = {},
): Promise<void> {
  const { build } = service
  if (!build) return
  const name = imageName(project, service)
  const dockerfile = build.dockerfile ?? 'Dockerfile'
  const query = new URLSearchParams({
    t: name,
    version: '1',
    dockerfile: build.dockerfile_inline === undefined ? dockerfile : inlineName,
  })
  const args = Object.fromEntries(Object.entries(build.args).filter(([, value]) => value !== null))
  if (Object.keys(args).length > 0) query.set('buildargs', JSON.stringify(args))
  if (Object.keys(build.labels).length > 0) query.set('labels', JSON.stringify(build.labels))
  if (build.target !== undefined) query.set('target', build.target)
  if (options.noCache || build.no_cache) query.set('nocache', '1')
  const inline: Record<string, string> =
    build.dockerfile_inline === undefined ? {} : { [inlineName]: build.dockerfile_inline }
  const context = packContext(build.context, build.dockerfile_inline === undefined ? dockerfile : undefined, inline)
  for await (const { stream } of engine.progress('POST', `/build?${query}`, Readable.from(context)))
    process.stderr.write(stream ?? '')
  report(service.name, 'Built')
}

const inlineName = '.dinghy.Dockerfile'

/** Writes contents that are not files yet below the user's state directory; an unchanged one keeps its path. */
export function materializeFiles(project: Project, env: NodeJS.ProcessEnv = process.env): FilePaths {
  const home = env['XDG_STATE_HOME'] || join(homedir(), '.local', 'state')
  const directory = join(home, 'dinghy-compose', project.name)
  const paths = (kind: 'secrets' | 'configs') =>
    Object.fromEntries(Object.entries(project[kind]).map(([key, source]) => [key, pathOf(kind, key, source)]))
  const pathOf = (kind: string, key: string, source: FileSource): string => {
    if (source.file !== undefined) return source.file
    const text = source.content ?? (source.environment === undefined ? undefined : env[source.environment])
    if (text === undefined)
      throw new ComposeError(`${kind}.${key}: only file, content and environment can be honoured on one machine`)
    const path = join(directory, `${kind}-${key}-${createHash('sha256').update(text).digest('hex').slice(0, 12)}`)
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    writeFileSync(path, text, { mode: kind === 'secrets' ? 0o400 : 0o444 })
    return path
  }
  return { secrets: paths('secrets'), configs: paths('configs') }
}

async function exists(engine: Engine, path: string): Promise<boolean> {
  try {
    await engine.json('GET', path)
    return true
  } catch (error) {
    if (error instanceof EngineError && error.status === 404) return false
    throw error
  }
}
