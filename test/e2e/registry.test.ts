/**
 * Pushing to a registry and pulling from it, between the built processes: our own registry, and Debian's
 * docker-registry (the distribution project's) as an independent one, when that is installed. Client: dockerode.
 */

import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createServer, type AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isInstalled } from './harness/cluster.ts'
import { eventually, RuntimeProcess } from './harness/runtime.ts'

const ours = resolve(import.meta.dirname, '../../packages/registry/dist/bundle/main.js')
const hasPeer = isInstalled('docker-registry')

const registries: [name: string, command: (dir: string, address: string) => string[]][] = [
  [
    'dinghy registry',
    (dir, address) => [
      process.execPath,
      ours,
      '--root',
      join(dir, 'images'),
      '--listen',
      address,
      '--log-level',
      'warn',
    ],
  ],
  [
    `docker-registry${hasPeer ? '' : ' (not installed)'}`,
    (dir, address) => {
      const config = {
        version: 0.1,
        log: { level: 'error', accesslog: { disabled: true } },
        storage: { filesystem: { rootdirectory: join(dir, 'images') }, delete: { enabled: true } },
        http: { addr: address },
      }
      // YAML takes JSON.
      writeFileSync(join(dir, 'config.yml'), JSON.stringify(config))
      return ['docker-registry', 'serve', join(dir, 'config.yml')]
    },
  ],
]

describe.each(registries)('%s', (name, command) => {
  const isThere = name === 'dinghy registry' || hasPeer
  const dir = mkdtempSync(join(tmpdir(), 'registry-'))
  const [here, there] = [new RuntimeProcess(), new RuntimeProcess()]
  let registry: ChildProcess | undefined
  let address = ''

  beforeAll(async () => {
    if (!isThere) return
    address = `127.0.0.1:${await freePort()}`
    const [program = '', ...args] = command(dir, address)
    registry = spawn(program, args, { stdio: ['ignore', 'ignore', 'ignore'] })
    await Promise.all([here.start(), there.start()])
    await eventually(() =>
      fetch(`http://${address}/v2/`).then(
        ({ ok }) => ok,
        () => false,
      ),
    )
  })
  afterAll(async () => {
    if (isThere) await Promise.all([here.destroy(), there.destroy()])
    if (registry) {
      const exited = once(registry, 'exit')
      registry.kill('SIGTERM')
      await exited
    }
    rmSync(dir, { recursive: true, force: true })
  })

  test.runIf(isThere)('what one runtime has pushed another one pulls, layer by layer and to the digest', async () => {
    const reference = `${address}/team/app:1.0`
    const built = await build(here, dir, reference)
    await done(here, await here.docker.getImage(reference).push({}))
    const manifest = await fetch(`http://${address}/v2/team/app/manifests/1.0`, {
      headers: {
        accept: 'application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json',
      },
    })
    const digest = manifest.headers.get('docker-content-digest')
    expect(digest).toMatch(/^sha256:[0-9a-f]{64}$/)

    await done(there, await there.docker.pull(reference))
    const pulled = await there.docker.getImage(reference).inspect()
    expect(pulled.Id).toBe(built.Id)
    expect(pulled.RootFS).toEqual(built.RootFS)
    expect(pulled.RepoDigests).toEqual([`${address}/team/app@${digest}`])
    expect(pulled.Config.Labels).toEqual({ maker: 'us' })

    const container = await there.docker.createContainer({ Image: reference, Cmd: ['/nothing'] })
    const archive = await container.getArchive({ path: '/data/second' })
    expect((await buffer(archive)).toString('latin1')).toContain('two')
    await container.remove()

    // By digest, too; and again, which finds everything here already.
    await done(there, await there.docker.pull(`${address}/team/app@${digest}`))
    const again = await done(here, await here.docker.getImage(reference).push({}))
    expect(again.filter(({ status }) => status === 'Layer already exists')).toHaveLength(2)
  })

  test.runIf(isThere)('what is not there is said as Docker says it', async () => {
    await expect(
      there.docker.pull(`${address}/team/nothing:1.0`).then((stream) => done(there, stream)),
    ).rejects.toThrow(/manifest unknown|not found/)
  })
})

async function build(runtime: RuntimeProcess, dir: string, tag: string) {
  const context = join(dir, 'context')
  mkdirSync(context, { recursive: true })
  for (const [name, text] of Object.entries({ first: 'one', second: 'two' })) writeFileSync(join(context, name), text)
  writeFileSync(
    join(context, 'Dockerfile'),
    'FROM scratch\nLABEL maker=us\nCOPY first /data/first\nCOPY second /data/second\nCMD ["/nothing"]\n',
  )
  const { stdout } = spawnSync('tar', ['-cf', '-', '-C', context, '.'])
  const file = join(dir, 'context.tar')
  writeFileSync(file, stdout)
  await done(runtime, await runtime.docker.buildImage(file, { t: tag }))
  return await runtime.docker.getImage(tag).inspect()
}

/** The progress that the engine tells; its error as an error. */
function done(runtime: RuntimeProcess, stream: NodeJS.ReadableStream): Promise<{ status?: string }[]> {
  return new Promise((resolve, reject) => {
    runtime.docker.modem.followProgress(stream, (error, output: { status?: string }[]) =>
      error ? reject(error) : resolve(output),
    )
  })
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
