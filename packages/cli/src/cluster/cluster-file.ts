/**
 * dinghy.yaml, which `dinghy up --config FILE` reads: what a cluster should be like, for those who want to keep that
 * beside their manifests. Flags on the command line count more.
 *
 *   nodes: 5
 *   driver: linux
 *   network: machines
 *   logLevel: debug
 *   settings:
 *     controller:
 *       node-monitor-grace-period: 40s
 *     node-agent:
 *       crash-loop-backoff-base: 1s
 */

import { readFileSync } from 'node:fs'
import { UsageError } from '@dinghy/clients/command-line/command'
import type { Settings } from './settings.ts'

export interface ClusterFile {
  nodes?: string
  driver?: string
  network?: string
  logLevel?: string
  settings?: Settings
}

const scalars = ['nodes', 'driver', 'network', 'logLevel'] as const

export async function readClusterFile(path: string): Promise<ClusterFile> {
  const { parse } = await import('yaml')
  let document: unknown
  try {
    document = parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${(error as Error).message.split('\n')[0]}`)
  }
  return clusterFileOf(path, document ?? {})
}

/** The document as what it must be. Pure. */
export function clusterFileOf(path: string, document: unknown): ClusterFile {
  const fields = recordOf(document, path)
  const known: string[] = [...scalars, 'settings']
  const unknown = Object.keys(fields).find((key) => !known.includes(key))
  if (unknown !== undefined) throw new UsageError(`${path}: there is no "${unknown}"; it may have ${known.join(', ')}`)
  const file: ClusterFile = {}
  for (const key of scalars) if (fields[key] !== undefined) file[key] = textOf(fields[key], `${path}: ${key}`)
  if (fields['settings'] !== undefined) file.settings = settingsIn(fields['settings'], `${path}: settings`)
  return file
}

function settingsIn(value: unknown, where: string): Settings {
  const components = Object.entries(recordOf(value ?? {}, where)).map(([component, flags]) => {
    const texts = Object.entries(recordOf(flags ?? {}, `${where}.${component}`)).map(([flag, text]) => [
      flag,
      textOf(text, `${where}.${component}.${flag}`),
    ])
    return [component, Object.fromEntries(texts)] as const
  })
  return Object.fromEntries(components)
}

function recordOf(value: unknown, where: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new UsageError(`${where} must be a map of names to values`)
}

function textOf(value: unknown, where: string): string {
  if (['string', 'number', 'boolean'].includes(typeof value)) return String(value)
  if (Array.isArray(value)) return value.map((item) => textOf(item, where)).join(',')
  throw new UsageError(`${where} must be one value`)
}
