/**
 * What `--log-opt labels=…,env=…,tag=…` adds to each entry of a log, as `docker logs --details` shows it. Pure.
 *
 * Docker writes them into the file with each entry; here they follow from the container's record, which nobody can
 * change but by a new name, and are added when the log is read.
 */
import { badParameter } from '@dinghy/shared/docker/errors'
import type { ContainerRecord } from './record.ts'

type Named = Pick<ContainerRecord, 'id' | 'name' | 'imageId' | 'config'>

/** `a=b,c=d`, in the order of the names, escaped as in a query; empty when nothing was asked for. */
export function logDetails(record: Pick<ContainerRecord, 'hostConfig'> & Named): string {
  const { Config } = record.hostConfig.LogConfig
  const labels = Object.entries(record.config.Labels)
  const valued = record.config.Env.filter((entry) => entry.includes('='))
  const variables = valued.map((entry): [string, string] => {
    const [name = ''] = entry.split('=', 1)
    return [name, entry.slice(name.length + 1)]
  })
  const tag = Config['tag'] ?? ''
  const all = new Map([
    ...labels.filter(([name]) => isWanted(name, Config['labels'], Config['labels-regex'])),
    ...variables.filter(([name]) => isWanted(name, Config['env'], Config['env-regex'])),
    ...(tag === '' ? [] : [['tag', expandTag(tag, record)] as const]),
  ])
  return [...all]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map((pair) => pair.map(queryEscape).join('='))
    .join(',')
}

function isWanted(name: string, names = '', pattern = ''): boolean {
  return names.split(',').includes(name) || (pattern !== '' && new RegExp(pattern).test(name))
}

/** Throws a 400 for what could not be made of any container. */
export function checkLogAttributes(config: Record<string, string>): void {
  for (const name of ['labels-regex', 'env-regex']) {
    try {
      RegExp(config[name] ?? '')
    } catch {
      throw badParameter(`invalid log opt ${name}: ${JSON.stringify(config[name])} is no regular expression`)
    }
  }
  expandTag(config['tag'] ?? '', { id: '', name: '', imageId: '', config: { Image: '', Cmd: null, Entrypoint: null } })
}

type TagSource = Pick<Named, 'id' | 'name' | 'imageId'> & {
  config: Pick<Named['config'], 'Image' | 'Cmd' | 'Entrypoint'>
}

const tagFields: Record<string, (record: TagSource) => string> = {
  ID: ({ id }) => id.slice(0, 12),
  FullID: ({ id }) => id,
  Name: ({ name }) => name,
  ImageID: ({ imageId }) => imageId.replace(/^sha256:/, '').slice(0, 12),
  ImageFullID: ({ imageId }) => imageId,
  ImageName: ({ config }) => config.Image,
  Command: ({ config }) => [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])].join(' '),
  DaemonName: () => 'docker',
}

/** Go's templates, as far as they name a field. */
function expandTag(template: string, record: TagSource): string {
  return template.replaceAll(/\{\{(.*?)\}\}/g, (text, expression: string) => {
    const [, name = ''] = /^-?\s*\.(\w+)\s*-?$/.exec(expression) ?? []
    const field = Object.hasOwn(tagFields, name) ? tagFields[name] : undefined
    if (field === undefined)
      throw badParameter(`invalid log opt tag: ${text} is not supported, only ${Object.keys(tagFields).join(', ')}`)
    return field(record)
  })
}

function queryEscape(text: string): string {
  const escaped = encodeURIComponent(text).replaceAll('%20', '+')
  return escaped.replaceAll(/[!'()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`)
}
