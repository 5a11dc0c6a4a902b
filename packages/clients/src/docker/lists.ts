/**
 * `docker ps` and `docker images`: lists in the real one's columns.
 */

import { alignRows } from '../command-line/table.ts'
import type { DockerCommand } from './docker-command.ts'

interface ListedContainer {
  Id: string
  Names: string[]
  Image: string
  Command: string
  Created: number
  Status: string
  Ports: { IP?: string; PrivatePort: number; PublicPort?: number; Type: string }[]
}

export const ps: DockerCommand = {
  words: '',
  summary: 'List containers.',
  flags: {
    all: { type: 'boolean', short: 'a', help: 'also containers that do not run, or untagged images' },
    quiet: { type: 'boolean', short: 'q', help: 'print only ids' },
  },
  async run({ engine, flags }) {
    const containers = await engine.json<ListedContainer[]>('GET', `/containers/json?all=${flags['all'] ? 1 : 0}`)
    if (flags['quiet']) {
      for (const { Id } of containers) console.log(Id.slice(0, 12))
      return 0
    }
    const header = ['CONTAINER ID', 'IMAGE', 'COMMAND', 'CREATED', 'STATUS', 'PORTS', 'NAMES']
    const rows = containers.map(({ Id, Names, Image, Command, Created, Status, Ports }) => [
      Id.slice(0, 12),
      Image,
      JSON.stringify(Command.length > 20 ? `${Command.slice(0, 19)}\u2026` : Command),
      `${age(Created)} ago`,
      Status,
      Ports.map(renderPort).join(', '),
      Names.map((name) => name.replace(/^\//, '')).join(','),
    ])
    console.log(alignRows([header, ...rows]))
    return 0
  },
}

export const images: DockerCommand = {
  words: '',
  summary: 'List images.',
  flags: {
    all: { type: 'boolean', short: 'a', help: 'also containers that do not run, or untagged images' },
    quiet: { type: 'boolean', short: 'q', help: 'print only ids' },
  },
  async run({ engine, flags }) {
    const path = `/images/json?all=${flags['all'] ? 1 : 0}`
    const listed = await engine.json<{ Id: string; RepoTags: string[] | null; Created: number; Size: number }[]>(
      'GET',
      path,
    )
    const rows = listed.flatMap(({ Id, RepoTags, Created, Size }) => {
      const tags = RepoTags?.length ? RepoTags : ['<none>:<none>']
      return tags.map((tag) => {
        const colon = tag.lastIndexOf(':')
        return [
          tag.slice(0, colon),
          tag.slice(colon + 1),
          Id.replace('sha256:', '').slice(0, 12),
          `${age(Created)} ago`,
          bytes(Size),
        ]
      })
    })
    if (flags['quiet']) for (const id of new Set(rows.map((row) => row[2]))) console.log(id)
    else console.log(alignRows([['REPOSITORY', 'TAG', 'IMAGE ID', 'CREATED', 'SIZE'], ...rows]))
    return 0
  },
}

function renderPort({ IP, PrivatePort, PublicPort, Type }: ListedContainer['Ports'][number]): string {
  const inner = `${PrivatePort}/${Type}`
  return PublicPort === undefined ? inner : `${IP ?? '0.0.0.0'}:${PublicPort}->${inner}`
}

/** "3 minutes", "About an hour": as docker words it. */
export function age(unixSeconds: number, now: number = Date.now()): string {
  const seconds = Math.max(0, Math.floor(now / 1000 - unixSeconds))
  if (seconds < 1) return 'Less than a second'
  if (seconds === 1) return '1 second'
  if (seconds < 60) return `${seconds} seconds`
  const minutes = Math.floor(seconds / 60)
  if (minutes === 1) return 'About a minute'
  if (minutes < 46) return `${minutes} minutes`
  const hours = Math.round(minutes / 60)
  if (hours === 1) return 'About an hour'
  if (hours < 48) return `${hours} hours`
  const days = Math.floor(hours / 24)
  if (days < 14) return `${days} days`
  if (days < 60) return `${Math.floor(days / 7)} weeks`
  if (days < 730) return `${Math.floor(days / 30)} months`
  return `${Math.floor(days / 365)} years`
}

/** 1000-based with three digits that count, as docker prints sizes: "4.26MB". */
export function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  const power = count < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(count) / 3))
  return `${Number((count / 1000 ** power).toPrecision(3))}${units[power]}`
}
