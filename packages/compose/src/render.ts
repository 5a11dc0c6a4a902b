/**
 * The model written out as a compose file again: `compose config`. Loading what this returns gives the same model.
 * Pure.
 */

import type {
  Build,
  FileReference,
  FileSource,
  Healthcheck,
  Mount,
  Network,
  Project,
  Service,
  Volume,
} from './model.ts'

export function renderProject(project: Project): unknown {
  const { name, services, networks, volumes, secrets, configs } = project
  return escapeDollars(
    withoutEmpty({
      name,
      services: each(services, renderService),
      networks: each(networks, renderNetwork),
      volumes: each(volumes, renderVolume),
      secrets: each(secrets, renderFileSource),
      configs: each(configs, renderFileSource),
    }),
  )
}

function renderService({ name: _name, settings, replicas, limits, attach, ...service }: Service): unknown {
  const { stop_grace_period, healthcheck, build, volumes, networks, secrets, configs, ...plain } = service
  return {
    ...plain,
    ...settings,
    build: build && renderBuild(build),
    healthcheck: healthcheck && renderHealthcheck(healthcheck),
    volumes: volumes.map(renderMount),
    // A network without options is still one that the service is in.
    networks: Object.fromEntries(Object.entries(networks).map(([key, value]) => [key, orNull(value)])),
    secrets: secrets.map(renderReference),
    configs: configs.map(renderReference),
    attach: attach ? undefined : false,
    stop_grace_period: stop_grace_period === undefined ? undefined : `${stop_grace_period}s`,
    deploy: {
      replicas: replicas === 1 ? undefined : replicas,
      resources: {
        limits: { ...limits, ...(limits.memory !== undefined ? { memory: String(limits.memory) } : {}) },
      },
    },
  }
}

function renderBuild({ no_cache, pull, ...build }: Build): unknown {
  return {
    ...build,
    no_cache: no_cache || undefined,
    pull: pull || undefined,
  }
}

function renderHealthcheck({ test, retries, ...durations }: Healthcheck): unknown {
  const texts = Object.entries(durations).map(([key, nanoseconds]) => [key, `${nanoseconds / 1e6}ms`])
  return { test, retries, ...Object.fromEntries(texts) }
}

function renderMount({ create_host_path, propagation, nocopy, subpath, size, mode, ...mount }: Mount): unknown {
  return {
    ...mount,
    read_only: mount.read_only || undefined,
    bind: { create_host_path: create_host_path || undefined, propagation },
    volume: { nocopy, subpath: mount.type === 'volume' ? subpath : undefined },
    image: { subpath: mount.type === 'image' ? subpath : undefined },
    tmpfs: { size, mode },
  }
}

function renderReference({ mode, ...reference }: FileReference): unknown {
  return {
    ...reference,
    mode: mode === undefined ? undefined : `0${mode.toString(8)}`,
  }
}

function renderNetwork({ external, ...network }: Network): unknown {
  return { ...network, external: external || undefined }
}

function renderVolume({ external, ...volume }: Volume): unknown {
  return { ...volume, external: external || undefined }
}

/** What came from the environment stays there: it may be a secret. */
function renderFileSource({ external, content, environment, ...source }: FileSource): unknown {
  return {
    ...source,
    external: external || undefined,
    environment,
    content: environment === undefined ? content : undefined,
  }
}

function each<T>(values: Record<string, T>, render: (value: T) => unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, render(value)]))
}

function orNull(value: object): unknown {
  const kept = withoutEmpty(value) as object
  return Object.keys(kept).length > 0 ? kept : null
}

/** What nobody wrote is not shown: empty lists and mappings go, but for a command that is meant to be empty. */
function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, child]) => [key, withoutEmpty(child)] as const)
  return Object.fromEntries(entries.filter(([key, child]) => isMeaningful(child) || isCommand(key, child)))
}

function isMeaningful(value: unknown): boolean {
  return value !== undefined && (typeof value !== 'object' || value === null || Object.keys(value).length > 0)
}

function isCommand(key: string, value: unknown): boolean {
  return (key === 'command' || key === 'entrypoint') && Array.isArray(value)
}

/** So that nothing is taken for a variable when this is read again. */
function escapeDollars(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('$', '$$$$')
  if (Array.isArray(value)) return value.map(escapeDollars)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, escapeDollars(child)]))
}
