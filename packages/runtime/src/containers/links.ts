/**
 * `--link TARGET[:ALIAS]`: whom a container knows under which other name, and, on the default network, the variables
 * that tell it where the other listens. Pure.
 *
 * As in Docker the variables are those of the moment of the start. Unlike there a target that does not run is no
 * error: its name leads to it once it does.
 */
import { badParameter } from '@dinghy/shared/docker/errors'
import { parsePort } from '../networks/ports.ts'
import type { ContainerRecord } from './record.ts'

export interface Link {
  /** Name or id of the other container. */
  target: string
  alias: string
}

export function parseLink(text: string): Link {
  const { target, alias } = split(text)
  if (target === '' || alias === '' || text.split(':').length > 2) throw badParameter(`bad format for links: ${text}`)
  return { target, alias }
}

/** The names under which `others` know a container by links on the default network, as `docker ps` lists them. */
export function linkNamesOf(
  record: Pick<ContainerRecord, 'id' | 'name'>,
  others: readonly Pick<ContainerRecord, 'name' | 'hostConfig'>[],
): string[] {
  return others.flatMap(({ name, hostConfig }) =>
    aliasesOf(record, hostConfig.Links ?? []).map((alias) => `/${name}/${alias}`),
  )
}

/** `links` without that alias; undefined if there is none of that name. */
export function withoutLink(links: readonly string[], alias: string): string[] | undefined {
  const rest = links.filter((link) => split(link).alias !== alias)
  return rest.length === links.length ? undefined : rest
}

/** The names that `links`, which have been checked when they were made, give a container, in order. */
export function aliasesOf({ id, name }: Pick<ContainerRecord, 'id' | 'name'>, links: readonly string[]): string[] {
  const ofThis = links.map(split).filter(({ target }) => target === name || id.startsWith(target))
  return ofThis.map(({ alias }) => alias)
}

/** `DB_PORT_5432_TCP_ADDR=…` and the like, of one link of the container `name`. */
export function linkVariables(
  name: string,
  alias: string,
  ip: string,
  { Env, ExposedPorts }: Pick<ContainerRecord['config'], 'Env' | 'ExposedPorts'>,
): string[] {
  const prefix = alias.toUpperCase().replaceAll('-', '_')
  const ports = Object.keys(ExposedPorts ?? {})
    .map(parsePort)
    .toSorted((a, b) => a.port - b.port || (a.protocol < b.protocol ? -1 : 1))
  const [first] = ports
  return [
    ...(first === undefined ? [] : [`${prefix}_PORT=${first.protocol}://${ip}:${first.port}`]),
    ...ports.flatMap(({ port, protocol }) => {
      const start = `${prefix}_PORT_${port}_${protocol.toUpperCase()}`
      return [
        `${start}=${protocol}://${ip}:${port}`,
        `${start}_ADDR=${ip}`,
        `${start}_PORT=${port}`,
        `${start}_PROTO=${protocol}`,
      ]
    }),
    `${prefix}_NAME=/${name}/${alias}`,
    ...Env.filter((entry) => entry.includes('=') && !/^(HOME|PATH)=/.test(entry)).map(
      (entry) => `${prefix}_ENV_${entry}`,
    ),
  ]
}

function split(text: string): Link {
  const [target = '', alias = target] = text.split(':')
  return { target: bare(target), alias: bare(alias) }
}

function bare(name: string): string {
  return name.replace(/^\//, '')
}
