// A project's containers as the engine knows them: found by label, so that nothing has to be remembered between calls.

import type { Engine } from '../docker/engine.ts'
import { numberOf, type Observed } from './plan.ts'
import { label } from './spec.ts'

interface Listed {
  Id: string
  Names: string[]
  Image: string
  State: string
  Status: string
  Command: string
  Labels: Record<string, string>
  Ports: { IP?: string; PrivatePort: number; PublicPort?: number; Type: string }[]
}

export interface ProjectContainer extends Observed {
  service: string
  image: string
  status: string
  command: string
  ports: Listed['Ports']
  oneOff: boolean
}

export async function listContainers(
  engine: Engine,
  project: string,
  options: { oneOff?: boolean } = {},
): Promise<ProjectContainer[]> {
  const filters = JSON.stringify({ label: [`${label.project}=${project}`] })
  const listed = await engine.json<Listed[]>('GET', `/containers/json?all=1&filters=${encodeURIComponent(filters)}`)
  return listed
    .map(({ Id, Names, Image, State, Status, Command, Labels, Ports }) => ({
      id: Id,
      name: (Names[0] ?? Id).replace(/^\//, ''),
      state: State,
      labels: Labels,
      service: Labels[label.service] ?? '',
      image: Image,
      status: Status,
      command: Command,
      ports: Ports,
      oneOff: Labels[label.oneoff] === 'True',
    }))
    .filter(({ oneOff }) => options.oneOff || !oneOff)
    .toSorted((a, b) => (a.service === b.service ? numberOf(a) - numberOf(b) : a.service < b.service ? -1 : 1))
}

export async function stopContainer(engine: Engine, id: string, timeout?: number): Promise<void> {
  await engine.json('POST', `/containers/${id}/stop${timeout === undefined ? '' : `?t=${timeout}`}`)
}

export async function removeContainer(engine: Engine, id: string, volumes = false): Promise<void> {
  await engine.json('DELETE', `/containers/${id}?force=1&v=${volumes ? 1 : 0}`)
}
