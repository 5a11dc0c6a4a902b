/**
 * `docker run`: create (pulling the image when it is missing), start, and, unless detached, join the container's
 * streams and end with its exit code.
 */

import { UsageError } from '../command-line/command.ts'
import { several } from '../command-line/verbs.ts'
import type { DockerCommand } from './docker-command.ts'
import type { DockerEngine } from '@dinghy/shared/docker/engine'
import { DockerError, isDockerStatus } from '@dinghy/shared/docker/errors'
import { daemonSays } from './daemon-says.ts'
import { startInForeground } from './foreground.ts'

export const run: DockerCommand = {
  words: 'IMAGE [COMMAND…]',
  summary: 'Run a command in a new container.',
  stopsAtFirstWord: true,
  flags: {
    detach: { type: 'boolean', short: 'd', help: 'run in the background' },
    interactive: { type: 'boolean', short: 'i', help: 'keep stdin open' },
    tty: { type: 'boolean', short: 't', help: 'give it a terminal' },
    rm: { type: 'boolean', help: 'remove the container when it ends' },
    name: { type: 'string', value: 'name', help: 'of the container' },
    env: { type: 'string', short: 'e', multiple: true, value: 'k=v', help: 'a variable of its environment' },
    publish: {
      type: 'string',
      short: 'p',
      multiple: true,
      value: '[host:]port',
      help: 'a port of the machine that leads to one of the container',
    },
    'publish-all': { type: 'boolean', short: 'P', help: 'publish every port that the image exposes' },
    volume: {
      type: 'string',
      short: 'v',
      multiple: true,
      value: 'source:target',
      help: 'a volume or a directory to mount, with :ro read-only',
    },
    workdir: { type: 'string', short: 'w', value: 'dir', help: 'where it runs' },
    user: { type: 'string', short: 'u', value: 'user', help: 'who runs it' },
    entrypoint: { type: 'string', value: 'program', help: "instead of the image's" },
    network: { type: 'string', value: 'name', help: 'the network that it joins' },
  },
  async run({ engine, flags, args: [image, ...command] }) {
    if (!image) throw new UsageError('name an image')
    const { exposed, bindings } = publishedPorts(several(flags, 'publish'))
    const detached = flags['detach'] === true
    const stdin = flags['interactive'] === true
    const tty = flags['tty'] === true
    const remove = flags['rm'] === true
    const body = {
      Image: image,
      ...(command.length > 0 ? { Cmd: command } : {}),
      ...(flags['entrypoint'] !== undefined ? { Entrypoint: [flags['entrypoint']] } : {}),
      ...(flags['workdir'] !== undefined ? { WorkingDir: flags['workdir'] } : {}),
      ...(flags['user'] !== undefined ? { User: flags['user'] } : {}),
      Env: several(flags, 'env').map((word) => (word.includes('=') ? word : `${word}=${process.env[word] ?? ''}`)),
      ExposedPorts: exposed,
      Tty: tty,
      OpenStdin: stdin,
      StdinOnce: stdin && !detached,
      AttachStdin: stdin && !detached,
      AttachStdout: !detached,
      AttachStderr: !detached,
      HostConfig: {
        PortBindings: bindings,
        Binds: several(flags, 'volume'),
        PublishAllPorts: flags['publish-all'] === true,
        AutoRemove: remove,
        ...(flags['network'] !== undefined ? { NetworkMode: flags['network'] } : {}),
      },
    }
    try {
      const id = await create(engine, image, body, flags['name'] as string | undefined)
      if (!detached) return await startInForeground(engine, id, { tty, stdin, remove })
      await engine.json('POST', `/containers/${id}/start`)
      console.log(id)
      return 0
    } catch (error) {
      if (!(error instanceof DockerError)) throw error
      console.error(`docker: ${daemonSays(error)}`)
      return exitCodeOf(error.message)
    }
  },
}

async function create(engine: DockerEngine, image: string, body: unknown, name: string | undefined): Promise<string> {
  const path = `/containers/create${name === undefined ? '' : `?name=${encodeURIComponent(name)}`}`
  try {
    return (await engine.json<{ Id: string }>('POST', path, { body })).Id
  } catch (error) {
    if (!isDockerStatus(error, 404)) throw error
    console.error(`Unable to find image '${image}' locally`)
    // A name alone would be taken for all its tags.
    const tagged = /[:@][^/]*$/.test(image) ? image : `${image}:latest`
    for await (const { status, id } of engine.progress('/images/create', {
      query: { fromImage: tagged },
      lastsMs: Infinity,
    })) {
      console.error(id ? `${id}: ${status}` : status)
    }
    return (await engine.json<{ Id: string }>('POST', path, { body })).Id
  }
}

/** A container that did not start: 127 no such program, 126 no right to run it, 125 anything else. Pure. */
export function exitCodeOf(message: string): number {
  if (/executable file not found|no such file or directory/.test(message)) return 127
  return message.includes('permission denied') ? 126 : 125
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
