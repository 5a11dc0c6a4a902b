/**
 * `compose ps`, `compose images` and `compose port`: what the project's containers are.
 */

import { UsageError } from '@dinghy/clients/command-line/command'
import { several } from '@dinghy/clients/command-line/verbs'
import { age, bytes } from '@dinghy/clients/docker/lists'
import { alignRows } from '@dinghy/clients/command-line/table'
import { ComposeError } from '../compose-error.ts'
import { isUp, listContainers, type ProjectContainer } from '../containers.ts'
import { parseTemplate } from '../go-template.ts'
import { numberOf } from '../plan.ts'
import { chosenServices, type ComposeVerb, numberFlag } from '../verb.ts'

export const ps: ComposeVerb = {
  words: '[SERVICE…]',
  summary: 'List containers.',
  worksWithoutFile: true,
  flags: {
    all: { type: 'boolean', short: 'a', help: 'also containers that have ended' },
    quiet: { type: 'boolean', short: 'q', help: 'print only ids' },
    services: { type: 'boolean', help: 'print only the names of services' },
    status: { type: 'string', multiple: true, value: 'status', help: 'only containers with this status' },
    format: { type: 'string', value: 'format', help: 'table, json or a template of Go, which may begin with table' },
  },
  async run({ engine, project, clock, flags, args }) {
    const chosen = chosenServices(project, args)
    const states = several(flags, 'status')
    const format = String(flags['format'] ?? 'table')
    const isWanted = (container: ProjectContainer) => {
      if (states.length > 0) return states.includes(container.state)
      return flags['all'] === true || isUp(container)
    }
    const listed = await listContainers(engine, project.name)
    const containers = listed.filter((container) => chosen[container.service] && isWanted(container))
    if (flags['quiet']) for (const { id } of containers) console.log(id)
    else if (flags['services']) for (const name of new Set(containers.map(({ service }) => service))) console.log(name)
    else if (format === 'json') for (const container of containers) console.log(JSON.stringify(toJson(container)))
    else if (format.includes('{{')) {
      const rows = containers.map((container) => toRow(container, clock.now()))
      const text = formatted(format, rows)
      if (text !== '') console.log(text)
    } else if (format !== 'table') throw new UsageError('--format takes table, json or a template such as "{{.Name}}"')
    else console.log(table(containers, clock.now()))
    return 0
  },
}

/** A template after the word `table` makes columns at its tabs, under the names of what is in them. */
function formatted(format: string, rows: Record<string, unknown>[]): string {
  const template = /^table\s+(.*)$/s.exec(format)?.[1]
  const render = parseTemplate(template ?? format)
  if (template === undefined) return rows.map(render).join('\n')
  return alignRows([render(headings), ...rows.map(render)].map((line) => line.split('\t')))
}

/** What a template can show: the fields of the JSON, and those of the table where that words them otherwise. */
function toRow(container: ProjectContainer, nowMs: number): Record<string, unknown> {
  return {
    ...toJson(container),
    CreatedAt: new Date(container.created * 1000).toISOString(),
    RunningFor: `${age(container.created, nowMs)} ago`,
    Ports: container.ports.map(renderPort).join(', '),
  }
}

const plainFields = 'Name Service Image Command State Status Health Project Labels Publishers Ports'
const headings: Record<string, string> = {
  ...Object.fromEntries(plainFields.split(' ').map((name) => [name, name.toUpperCase()])),
  ID: 'CONTAINER ID',
  ExitCode: 'EXIT CODE',
  CreatedAt: 'CREATED AT',
  RunningFor: 'CREATED',
}

function toJson({ id, name, service, image, state, status, command, labels, ports }: ProjectContainer) {
  return {
    ID: id,
    Name: name,
    Service: service,
    Image: image,
    Command: command,
    State: state,
    Status: status,
    Health: /\((healthy|unhealthy|health: starting)\)/.exec(status)?.[1]?.replace('health: ', '') ?? '',
    // "Exited (3) 2 minutes ago"
    ExitCode: Number(/^Exited \((\d+)\)/.exec(status)?.[1] ?? 0),
    Project: labels['com.docker.compose.project'],
    Labels: Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(','),
    Publishers: ports.map(({ IP, PrivatePort, PublicPort, Type }) => ({
      URL: IP ?? '',
      TargetPort: PrivatePort,
      PublishedPort: PublicPort ?? 0,
      Protocol: Type,
    })),
  }
}

function table(containers: ProjectContainer[], nowMs: number): string {
  const header = ['NAME', 'IMAGE', 'COMMAND', 'SERVICE', 'CREATED', 'STATUS', 'PORTS']
  const rows = containers.map(({ name, image, command, service, created, status, ports }) => [
    name,
    image,
    JSON.stringify(command.length > 20 ? `${command.slice(0, 19)}\u2026` : command),
    service,
    `${age(created, nowMs)} ago`,
    status,
    ports.map(renderPort).join(', '),
  ])
  return alignRows([header, ...rows])
}

function renderPort({ IP, PublicPort, PrivatePort, Type }: ProjectContainer['ports'][number]): string {
  const inner = `${PrivatePort}/${Type}`
  return PublicPort === undefined ? inner : `${IP ?? '0.0.0.0'}:${PublicPort}->${inner}`
}

export const port: ComposeVerb = {
  words: 'SERVICE PRIVATE_PORT',
  summary: 'Print where a port is published.',
  worksWithoutFile: true,
  flags: {
    protocol: { type: 'string', value: 'protocol', help: 'tcp or udp' },
    index: { type: 'string', value: 'n', help: 'which container of the service' },
  },
  async run({ engine, project, flags, args: [name, inner] }) {
    if (name === undefined || inner === undefined) throw new UsageError('name a service and one of its ports')
    const index = numberFlag(flags, 'index') ?? 1
    const protocol = String(flags['protocol'] ?? 'tcp')
    const container = (await listContainers(engine, project.name)).find(
      (candidate) => candidate.service === name && numberOf(candidate) === index,
    )
    if (!container) throw new ComposeError(`no container found for service "${name}"`)
    const found = container.ports.find(
      ({ PrivatePort, Type, PublicPort }) =>
        PrivatePort === Number(inner) && Type === protocol && PublicPort !== undefined,
    )
    if (!found) throw new ComposeError(`no port ${inner}/${protocol} for container ${container.name}`)
    console.log(`${found.IP ?? '0.0.0.0'}:${found.PublicPort}`)
    return 0
  },
}

export const images: ComposeVerb = {
  words: '[SERVICE…]',
  summary: 'List the images of containers.',
  worksWithoutFile: true,
  flags: { quiet: { type: 'boolean', short: 'q', help: 'print only ids' } },
  async run({ engine, project, flags, args }) {
    const chosen = chosenServices(project, args)
    const containers = (await listContainers(engine, project.name)).filter(({ service }) => chosen[service])
    const rows = await Promise.all(
      containers.map(async ({ name, image }) => {
        const { Id, Size } = await engine.json<{ Id: string; Size: number }>('GET', `/images/${image}/json`)
        const [, repository = image, tag = 'latest'] = /^(.*?)(?::([^/:]+))?$/.exec(image) ?? []
        return [name, repository, tag, Id.replace('sha256:', '').slice(0, 12), bytes(Size)]
      }),
    )
    if (flags['quiet']) for (const id of new Set(rows.map((row) => row[3]))) console.log(id)
    else console.log(alignRows([['CONTAINER', 'REPOSITORY', 'TAG', 'IMAGE ID', 'SIZE'], ...rows]))
    return 0
  },
}
