/**
 * `compose ls`: every project on the engine, by the labels of its containers.
 */

import { alignRows } from '@dinghy/clients/command-line/table'
import { UsageError } from '@dinghy/clients/command-line/command'
import type { DockerEngine } from '@dinghy/shared/docker/engine'
import { label } from '../labels.ts'

interface Listed {
  State: string
  Labels: Record<string, string>
}

interface ListedProject {
  Name: string
  Status: string
  ConfigFiles: string
}

export async function ls(
  engine: DockerEngine,
  { all, format }: { all: boolean; format?: string | undefined },
): Promise<number> {
  if (format !== undefined && format !== 'table' && format !== 'json')
    throw new UsageError('--format takes table or json')
  const filters = encodeURIComponent(JSON.stringify({ label: [label.project] }))
  const containers = await engine.json<Listed[]>('GET', `/containers/json?all=${all ? 1 : 0}&filters=${filters}`)
  const projects = summarize(containers)
  if (format === 'json') console.log(JSON.stringify(projects))
  else
    console.log(
      alignRows([
        ['NAME', 'STATUS', 'CONFIG FILES'],
        ...projects.map(({ Name, Status, ConfigFiles }) => [Name, Status, ConfigFiles]),
      ]),
    )
  return 0
}

/** "exited(1), running(2)": how many containers are in which state. Pure. */
export function summarize(containers: Listed[]): ListedProject[] {
  const names = [...new Set(containers.map(({ Labels }) => Labels[label.project] ?? ''))].toSorted()
  return names.map((name) => {
    const own = containers.filter(({ Labels }) => Labels[label.project] === name)
    const states = [...new Set(own.map(({ State }) => State))].toSorted()
    const count = (state: string) => own.filter(({ State }) => State === state).length
    return {
      Name: name,
      Status: states.map((state) => `${state}(${count(state)})`).join(', '),
      ConfigFiles: own[0]?.Labels[label.files] ?? '',
    }
  })
}
