// The docker CLI finds `docker compose` by running ~/.docker/cli-plugins/docker-compose; this puts one there that runs
// ours. The CLI first asks a plugin for its metadata, and then runs it with "compose" as the first word.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

export const metadata = {
  SchemaVersion: '0.1.0',
  Vendor: 'Dinghy',
  Version: 'v2.29.0-dinghy',
  ShortDescription: 'Docker Compose, by dinghy',
}

const mark = '# written by `dinghy compose install-plugin`'

export function installPlugin(env: NodeJS.ProcessEnv = process.env): number {
  const directory = join(env['DOCKER_CONFIG'] ?? join(homedir(), '.docker'), 'cli-plugins')
  const path = join(directory, 'docker-compose')
  if (existsSync(path)) {
    console.error(`${path} is already there; remove it first if you want dinghy's instead`)
    return 1
  }
  mkdirSync(directory, { recursive: true })
  writeFileSync(path, pluginScript(process.execPath, resolve(process.argv[1] ?? '')), { mode: 0o755 })
  console.log(`wrote ${path}; \`docker compose\` now runs dinghy's`)
  return 0
}

/** Pure: a shell script, so that the plugin follows this checkout wherever node is. */
export function pluginScript(node: string, entry: string): string {
  const quoted = (text: string) => `'${text.replaceAll("'", String.raw`'\''`)}'`
  return [
    '#!/bin/sh',
    mark,
    `if [ "$1" = docker-cli-plugin-metadata ]; then echo ${quoted(JSON.stringify(metadata))}; exit; fi`,
    'if [ "$1" = compose ]; then shift; fi',
    `exec ${quoted(node)} ${quoted(entry)} compose "$@"`,
    '',
  ].join('\n')
}
