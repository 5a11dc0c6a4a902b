// `compose run`: a one-off container of a service, with another command; its dependencies are brought up first.

import { randomBytes } from 'node:crypto'
import { readJson } from '@dinghy/shared/client/http'
import { several, UsageError } from '../../commands/command.ts'
import { copyOutput } from '../../docker/stdcopy.ts'
import { converge, waitForDependencies } from '../converge.ts'
import { ensureImage, ensureNetworks, ensureVolumes, materializeFiles } from '../resources.ts'
import { createBody } from '../spec.ts'
import { type ComposeVerb, serviceNamed, withDependencies } from '../verb.ts'

export const run: ComposeVerb = {
  usage: 'run [-d] [--rm] [-T] [--no-deps] [-e K=V] [--name NAME] [-P] SERVICE [COMMAND…]',
  stopsAtFirstWord: true,
  flags: {
    detach: { type: 'boolean', short: 'd' },
    rm: { type: 'boolean' },
    'no-TTY': { type: 'boolean', short: 'T' },
    'no-deps': { type: 'boolean' },
    env: { type: 'string', short: 'e', multiple: true },
    name: { type: 'string' },
    'service-ports': { type: 'boolean', short: 'P' },
  },
  async run({ engine, project, flags, args: [name, ...command] }) {
    if (!name) throw new UsageError('name a service')
    const service = serviceNamed(project.services, name)
    if (!flags['no-deps']) {
      const { [name]: _self, ...dependencies } = withDependencies(project, [name])
      await converge(engine, project, dependencies, { scale: {} })
      await waitForDependencies(engine, project, service)
    }
    const imageId = await ensureImage(engine, project, service)
    await ensureNetworks(engine, project, [service])
    await ensureVolumes(engine, project, [service])
    const env = Object.fromEntries(
      several(flags, 'env').map((word) => (word.includes('=') ? splitOnce(word) : [word, process.env[word] ?? ''])),
    )
    const remove = flags['rm'] === true
    const body = createBody(project, service, {
      number: 1,
      imageId,
      files: materializeFiles(project),
      oneOff: { env, remove, publish: flags['service-ports'] === true, ...(command.length > 0 && { command }) },
    })
    const container =
      (flags['name'] as string | undefined) ?? `${project.name}-${name}-run-${randomBytes(6).toString('hex')}`
    const { Id } = await engine.json<{ Id: string }>(
      'POST',
      `/containers/create?name=${encodeURIComponent(container)}`,
      body,
    )
    if (flags['detach']) {
      await engine.json('POST', `/containers/${Id}/start`)
      console.log(container)
      return 0
    }
    // Attach and wait before the start, or a quick container is gone before anybody asked.
    const output = await engine.attach(`/containers/${Id}/attach?stream=1&stdout=1&stderr=1`)
    const wait = await engine.request('POST', `/containers/${Id}/wait?condition=${remove ? 'removed' : 'next-exit'}`)
    await engine.json('POST', `/containers/${Id}/start`)
    await copyOutput(output)
    return (await readJson<{ StatusCode: number }>(wait)).StatusCode
  },
}

function splitOnce(word: string): [string, string] {
  const at = word.indexOf('=')
  return [word.slice(0, at), word.slice(at + 1)]
}
