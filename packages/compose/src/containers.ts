/**
 * A project's containers as the engine knows them: found by label, so that nothing has to be remembered between calls.
 */

import type { DockerEngine } from '@dinghy/shared/docker/engine'
import { label } from './labels.ts'
import { numberOf, type Observed } from './plan.ts'

interface Listed {
  Id: string
  Names: string[]
  Image: string
  State: string
  Status: string
  Command: string
  Created: number
  Labels: Record<string, string>
  Ports: { IP?: string; PrivatePort: number; PublicPort?: number; Type: string }[]
}

export interface ProjectContainer extends Observed {
  service: string
  image: string
  state: string
  status: string
  command: string
  /** Seconds since 1970. */
  created: number
  ports: Listed['Ports']
  oneOff: boolean
}

export async function listContainers(
  engine: DockerEngine,
  project: string,
  options: { oneOff?: boolean } = {},
): Promise<ProjectContainer[]> {
  const filters = JSON.stringify({ label: [`${label.project}=${project}`] })
  const listed = await engine.json<Listed[]>('GET', `/containers/json?all=1&filters=${encodeURIComponent(filters)}`)
  return listed
    .map(({ Id, Names, Image, State, Status, Command, Created, Labels, Ports }) => ({
      id: Id,
      name: (Names[0] ?? Id).replace(/^\//, ''),
      labels: Labels,
      service: Labels[label.service] ?? '',
      image: Image,
      state: State,
      status: Status,
      command: Command,
      created: Created,
      ports: Ports,
      oneOff: Labels[label.oneoff] === 'True',
    }))
    .filter(({ oneOff }) => options.oneOff || !oneOff)
    .toSorted((a, b) => (a.service === b.service ? numberOf(a) - numberOf(b) : a.service < b.service ? -1 : 1))
}

/** Whether the container is there to be stopped, or about to come back by itself. */
export function isUp({ state }: { state: string }): boolean {
  return ['running', 'restarting', 'paused'].includes(state)
}

export async function stopContainer(engine: DockerEngine, id: string, seconds?: number): Promise<void> {
  await engine.json('POST', `/containers/${id}/stop`, { query: { t: seconds }, lastsMs: Infinity })
}

export async function removeContainer(engine: DockerEngine, id: string, volumes = false): Promise<void> {
  await engine.json('DELETE', `/containers/${id}?force=1&v=${volumes ? 1 : 0}`)
}

/** "web-1" of "project-web-1"; a container with a name of its own keeps all of it, whatever it begins with. */
export function shortName({ name, labels }: Observed): string {
  const own = `${labels[label.service]}-${labels[label.number]}`
  return name === `${labels[label.project]}-${own}` ? own : name
}

export interface InspectedContainer {
  Config: { Tty: boolean }
  State: { Status: string; ExitCode: number; StartedAt: string; Health?: { Status: string } }
  Mounts: { Type: string; Name?: string; Destination: string }[]
}

export function inspectContainer(engine: DockerEngine, id: string): Promise<InspectedContainer> {
  return engine.json('GET', `/containers/${id}/json`)
}

/** Volumes that nobody named, by where they are mounted. */
export async function anonymousVolumes(engine: DockerEngine, id: string): Promise<Record<string, string>> {
  const { Mounts } = await inspectContainer(engine, id)
  return Object.fromEntries(
    Mounts.flatMap(({ Type, Name, Destination }) =>
      Type === 'volume' && Name !== undefined && /^[0-9a-f]{64}$/.test(Name) ? [[Destination, Name]] : [],
    ),
  )
}
