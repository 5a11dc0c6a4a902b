// `docker run`, without a terminal: create (pulling the image when it is missing), start, and, unless detached, show
// the output and end with the container's exit code.

import { readJson } from '@dinghy/shared/client/http'
import { several, UsageError } from '../commands/command.ts'
import type { DockerCommand } from './docker-command.ts'
import { type Engine, EngineError } from './engine.ts'
import { copyOutput } from './stdcopy.ts'

export const run: DockerCommand = {
  usage:
    'run [-d] [--rm] [--name NAME] [-e K=V] [-p [HOST:]PORT] [-v SOURCE:TARGET[:ro]] [-w DIR] [-u USER] IMAGE [COMMAND…]',
  stopsAtFirstWord: true,
  flags: {
    detach: { type: 'boolean', short: 'd' },
    rm: { type: 'boolean' },
    name: { type: 'string' },
    env: { type: 'string', short: 'e', multiple: true },
    publish: { type: 'string', short: 'p', multiple: true },
    volume: { type: 'string', short: 'v', multiple: true },
    workdir: { type: 'string', short: 'w' },
    user: { type: 'string', short: 'u' },
    entrypoint: { type: 'string' },
    network: { type: 'string' },
  },
  async run({ engine, flags, args: [image, ...command] }) {
    if (!image) throw new UsageError('name an image')
    const { exposed, bindings } = publishedPorts(several(flags, 'publish'))
    const detached = Boolean(flags['detach'])
    const body = {
      Image: image,
      ...(command.length > 0 && { Cmd: command }),
      ...(flags['entrypoint'] !== undefined && { Entrypoint: [flags['entrypoint']] }),
      ...(flags['workdir'] !== undefined && { WorkingDir: flags['workdir'] }),
      ...(flags['user'] !== undefined && { User: flags['user'] }),
      Env: several(flags, 'env').map((word) => (word.includes('=') ? word : `${word}=${process.env[word] ?? ''}`)),
      ExposedPorts: exposed,
      AttachStdout: !detached,
      AttachStderr: !detached,
      HostConfig: {
        PortBindings: bindings,
        Binds: several(flags, 'volume'),
        AutoRemove: Boolean(flags['rm']),
        ...(flags['network'] !== undefined && { NetworkMode: flags['network'] }),
      },
    }
    const id = await create(engine, image, body, flags['name'] as string | undefined)
    if (detached) {
      await engine.request('POST', `/containers/${id}/start`)
      console.log(id)
      return 0
    }
    return inForeground(engine, id, Boolean(flags['rm']))
  },
}

async function create(engine: Engine, image: string, body: unknown, name: string | undefined): Promise<string> {
  const path = `/containers/create${name === undefined ? '' : `?name=${encodeURIComponent(name)}`}`
  try {
    return (await engine.json<{ Id: string }>('POST', path, body)).Id
  } catch (error) {
    if (!(error instanceof EngineError) || error.status !== 404) throw error
    console.error(`Unable to find image '${image}' locally`)
    for await (const { status, id } of engine.progress(
      'POST',
      `/images/create?fromImage=${encodeURIComponent(image)}`,
    )) {
      console.error(id ? `${id}: ${status}` : status)
    }
    return (await engine.json<{ Id: string }>('POST', path, body)).Id
  }
}

// Attach and wait must be in place before the start, or a quick container is gone before anybody asked for its output.
async function inForeground(engine: Engine, id: string, removed: boolean): Promise<number> {
  const output = await engine.attach(`/containers/${id}/attach?stream=1&stdout=1&stderr=1`)
  const wait = await engine.request('POST', `/containers/${id}/wait?condition=${removed ? 'removed' : 'next-exit'}`)
  process.on('SIGINT', () => void engine.request('POST', `/containers/${id}/kill?signal=INT`))
  await engine.request('POST', `/containers/${id}/start`)
  await copyOutput(output)
  return (await readJson<{ StatusCode: number }>(wait)).StatusCode
}

/** `8080:80`, `127.0.0.1:8080:80/udp`, `80`. Pure. */
export function publishedPorts(words: string[]) {
  const exposed: Record<string, object> = {}
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {}
  for (const word of words) {
    const match = /^(?:(?:([\d.]+):)?(\d*):)?(\d+)(?:\/(tcp|udp))?$/.exec(word)
    if (!match) throw new UsageError(`"${word}" is no port mapping, such as 8080:80`)
    const [, address = '', host = '', port, protocol = 'tcp'] = match
    const key = `${port}/${protocol}`
    exposed[key] = {}
    ;(bindings[key] ??= []).push({ HostIp: address, HostPort: host })
  }
  return { exposed, bindings }
}
