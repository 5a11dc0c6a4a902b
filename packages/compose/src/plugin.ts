/**
 * The docker CLI finds `docker compose` by running ~/.docker/cli-plugins/docker-compose; this puts one there that runs
 * ours. The CLI first asks a plugin for its metadata, and then runs it with its own words: global flags, then
 * "compose".
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

export const composeVersion = 'v2.29.0-dinghy'

const metadata = {
  SchemaVersion: '0.1.0',
  Vendor: 'Dinghy',
  Version: composeVersion,
  ShortDescription: 'Docker Compose, by dinghy',
}

const mark = '# Written by `dinghy compose install-plugin`.'

/** Replaces a plugin of ours; leaves anybody else's alone. */
export function installPlugin(env: NodeJS.ProcessEnv = process.env): number {
  const directory = join(env['DOCKER_CONFIG'] || join(homedir(), '.docker'), 'cli-plugins')
  const path = join(directory, 'docker-compose')
  if (existsSync(path) && !readFileSync(path, 'latin1').includes(mark)) {
    console.error(`${path} is already there; remove it first if you want dinghy's instead`)
    return 1
  }
  mkdirSync(directory, { recursive: true })
  writeFileSync(path, pluginScript(process.execPath, resolve(process.argv[1] ?? '')), { mode: 0o755 })
  console.log(`wrote ${path}; \`docker compose\` now runs dinghy's`)
  return 0
}

/** Pure: a shell script, because the CLI asks every plugin for its metadata at every `docker help`. */
export function pluginScript(node: string, entry: string): string {
  const quoted = (text: string) => `'${text.replaceAll("'", String.raw`'\''`)}'`
  return [
    '#!/bin/sh',
    mark,
    `if [ "$1" = docker-cli-plugin-metadata ]; then echo ${quoted(JSON.stringify(metadata))}; exit; fi`,
    `exec ${quoted(node)} ${quoted(entry)} compose as-plugin "$@"`,
    '',
  ].join('\n')
}

/**
 * What the docker CLI hands on: `-H unix:///x --debug compose up -d` → the host it was given, and [`up`, `-d`]. Pure.
 */
export function splitPluginWords(words: string[]): { host?: string; context?: string; rest: string[] } {
  const own = words.slice(0, words.indexOf('compose'))
  const rest = words.slice(words.indexOf('compose') + 1)
  const valueOf = (...names: string[]): string | undefined => {
    for (const [i, word] of own.entries()) {
      if (names.includes(word)) return own[i + 1]
      const name = names.find((candidate) => word.startsWith(`${candidate}=`))
      if (name !== undefined) return word.slice(name.length + 1)
    }
    return undefined
  }
  const [host, context] = [valueOf('-H', '--host'), valueOf('-c', '--context')]
  return { rest, ...(host !== undefined ? { host } : {}), ...(context !== undefined ? { context } : {}) }
}
