/**
 * A project without its file: `compose -p shop down` works from any directory, because the labels of the containers,
 * networks and volumes say what belongs together and what depends on what.
 */

import type { DockerEngine } from '@dinghy/shared/docker/engine'
import { ComposeError } from './compose-error.ts'
import { listContainers, type ProjectContainer } from './containers.ts'
import { label } from './labels.ts'
import { normalizeService } from './load/normalize.ts'
import type { DependencyCondition, Project, Service } from './model.ts'

interface Listed {
  Name: string
  Labels: Record<string, string> | null
}

/** Throws when the engine knows nothing of such a project. */
export async function observeProject(engine: DockerEngine, name: string, directory: string): Promise<Project> {
  const filters = encodeURIComponent(JSON.stringify({ label: [`${label.project}=${name}`] }))
  const [containers, networks, volumes] = await Promise.all([
    listContainers(engine, name, { oneOff: true }),
    engine.json<Listed[]>('GET', `/networks?filters=${filters}`),
    engine.json<{ Volumes: Listed[] | null }>('GET', `/volumes?filters=${filters}`),
  ])
  const resources = [...networks, ...(volumes.Volumes ?? [])]
  if (containers.length + resources.length === 0)
    throw new ComposeError(`no configuration file provided, and no project named "${name}" on this engine`)
  const services = observedServices(containers)
  return {
    name,
    directory,
    files: [],
    services,
    disabled: [],
    networks: each(networks, label.network),
    volumes: each(volumes.Volumes ?? [], label.volume),
    secrets: {},
    configs: {},
  }
}

/** What the labels tell of each service: its name, its image and what it depends on. Pure. */
function observedServices(containers: ProjectContainer[]): Record<string, Service> {
  const context = { env: {}, readEnvFile: () => ({}) }
  return Object.fromEntries(
    containers.map(({ service, image, labels }) => {
      const depends_on = Object.fromEntries(
        (labels[label.dependsOn] ?? '')
          .split(',')
          .filter(Boolean)
          .map((entry) => {
            const [name = '', condition, restart] = entry.split(':')
            return [name, { condition: condition as DependencyCondition, restart: restart === 'true' }]
          }),
      )
      return [service, normalizeService(service, { image, depends_on }, context)]
    }),
  )
}

function each(resources: Listed[], key: string) {
  return Object.fromEntries(
    resources.map(({ Name, Labels }) => [Labels?.[key] ?? Name, { name: Name, external: false, labels: {} }]),
  )
}
