import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable, type Duplex } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { readTar, tarStream } from '@dinghy/images/files/tar'
import { isMachineRoot } from '@dinghy/images/files/user-namespace'
import { systemClock } from '@dinghy/shared/api/clock'
import { StdcopyParser } from '@dinghy/shared/docker/stdcopy'
import { createLogger } from '@dinghy/shared/process/logger'
import Docker from 'dockerode'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { startRuntime } from './runtime.ts'

/**
 * The whole runtime in this process, as an independent client sees it: with the driver that works everywhere, and with
 * the one that isolates, where the machine's root tests. Under the first a program is an ordinary process, so no script
 * here may name a file by an absolute path, which would be this machine's.
 */
const drivers = [
  { driver: 'process', network: 'loopback', storage: 'vfs', address: /^127\./ },
  { driver: 'linux', network: 'bridge', storage: 'overlay2', address: /^(172|192)\./ },
] as const

function isPossible(driver: 'process' | 'linux'): boolean {
  if (driver === 'process') return true
  const works = (program: string, ...args: string[]) => spawnSync(program, args).status === 0
  return process.platform === 'linux' && isMachineRoot() && works('unshare', '--mount', 'true') && works('ip', '-V')
}

describe.each(drivers.filter(({ driver }) => isPossible(driver)))('the $driver driver', (each) => {
  let root: string
  let docker: Docker
  let stop: () => Promise<void>

  async function start(): Promise<void> {
    const controller = new AbortController()
    const runtime = await startRuntime({
      addresses: [{ kind: 'unix', path: join(root, 'docker.sock') }],
      root: join(root, 'runtime'),
      driver: each.driver,
      ociRuntime: '',
      network: each.network,
      log: createLogger({ name: 'runtime', level: 'fatal', clock: systemClock }),
      clock: systemClock,
      signal: controller.signal,
    })
    stop = async () => {
      controller.abort()
      await runtime.close()
    }
  }

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'runtime-'))
    mkdirSync(join(root, 'runtime'))
    await start()
    docker = new Docker({ socketPath: join(root, 'docker.sock') })
    await pull('busybox')
  }, 60_000)

  afterAll(async () => {
    for (const { Id } of await docker.listContainers({ all: true }))
      await docker.getContainer(Id).remove({ force: true })
    await stop()
    rmSync(root, { recursive: true, force: true })
  }, 60_000)

  const patient = { timeout: 30_000, interval: 20 }

  async function pull(name: string): Promise<void> {
    await text((await docker.createImage({ fromImage: name })) as Readable)
  }

  async function run(Cmd: string[], options: Docker.ContainerCreateOptions = {}): Promise<Docker.Container> {
    const container = await docker.createContainer({ Image: 'busybox', Cmd, ...options })
    await container.start()
    return container
  }

  function textOf(framed: Buffer): string {
    const pieces = new StdcopyParser().push(framed)
    return pieces.map(({ data }) => data.toString()).join('')
  }

  async function outputOf(container: Docker.Container): Promise<{ code: number; out: string }> {
    const { StatusCode } = (await container.wait()) as { StatusCode: number }
    return { code: StatusCode, out: textOf(await container.logs({ stdout: true, stderr: true })) }
  }

  test('a container runs, says something, ends and goes', async () => {
    const container = await run(['sh', '-c', 'echo one; echo two >&2; exit 3'], { Labels: { a: 'b' } })
    const { code, out } = await outputOf(container)
    expect([code, out.split('\n').toSorted()]).toEqual([3, ['', 'one', 'two']])
    const [listed] = await docker.listContainers({ all: true, filters: { label: ['a=b'] } })
    expect(listed).toMatchObject({
      Id: container.id,
      State: 'exited',
      Command: "sh -c 'echo one; echo two >&2; exit 3'",
    })
    const info = await container.inspect()
    expect(info).toMatchObject({ Driver: each.storage, State: { Status: 'exited', ExitCode: 3 }, RestartCount: 0 })
    await container.remove()
    await expect(container.inspect()).rejects.toMatchObject({ statusCode: 404 })
  })

  test('what cannot start is told in Docker’s words', async () => {
    const container = await docker.createContainer({ Image: 'busybox', Cmd: ['no-such-program'] })
    await expect(container.start()).rejects.toThrow('executable file not found in $PATH')
    await container.remove()
    await expect(docker.createContainer({ Image: 'no/such:image' })).rejects.toMatchObject({ statusCode: 404 })
    await expect(run(['true'], { HostConfig: { NetworkMode: 'ghost' } })).rejects.toThrow('ghost')
  })

  test('stop, kill, pause, rename, top, stats, update', async () => {
    const container = await run(['sleep', '1000'], { name: 'before' })
    await container.rename({ name: 'after' })
    await container.pause()
    expect((await container.inspect()).State.Status).toBe('paused')
    await container.unpause()
    const { Processes } = (await container.top()) as { Processes: string[][] }
    expect(Processes.flat().join(' ')).toContain('sleep 1000')
    const stats = (await container.stats({ stream: false, 'one-shot': true })) as { name: string; pids_stats: object }
    expect(stats).toMatchObject({ name: '/after', pids_stats: { current: expect.any(Number) } })
    await container.update({ RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 } })
    expect((await container.inspect()).HostConfig.RestartPolicy).toEqual({ Name: 'on-failure', MaximumRetryCount: 2 })
    await container.restart({ t: 5 })
    await container.kill({ signal: 'SIGKILL' })
    expect((await container.inspect()).State.ExitCode).toBe(137)
    await expect(container.stop()).rejects.toMatchObject({ statusCode: 304 })
    await container.remove()
  })

  test('exec: output in frames, an exit code, input, a directory of its own', async () => {
    const container = await run(['sleep', '1000'])
    const exec = await container.exec({ Cmd: ['sh', '-c', 'echo out; exit 4'], AttachStdout: true, AttachStderr: true })
    expect(textOf(await buffer(await exec.start({})))).toBe('out\n')
    expect(await exec.inspect()).toMatchObject({ Running: false, ExitCode: 4, ContainerID: container.id })
    const cat = await container.exec({ Cmd: ['cat'], AttachStdin: true, AttachStdout: true })
    const stream = await cat.start({ hijack: true, stdin: true })
    stream.end('typed')
    expect(textOf(await buffer(stream))).toBe('typed')
    // The headers and the frames are what the start says, whatever the create said.
    const raw = await container.exec({ Cmd: ['echo', 'bare'], AttachStdout: true })
    expect((await buffer(await raw.start({ Tty: true }))).toString()).toBe('bare\n')
    await (await container.exec({ Cmd: ['true'] })).start({ Detach: true })
    await expect(exec.start({})).rejects.toMatchObject({ statusCode: 409 })
    await container.remove({ force: true })
  })

  test('attach: input, output, and with logs what was said before', async () => {
    const container = await docker.createContainer({ Image: 'busybox', Cmd: ['cat'], OpenStdin: true, StdinOnce: true })
    const attached = (await container.attach({ stream: true, stdin: true, stdout: true, hijack: true })) as Duplex
    await container.start()
    attached.write('first\n')
    const late = (await vi.waitFor(async () => {
      expect(textOf(await container.logs({ stdout: true }))).toBe('first\n')
      return container.attach({ stream: true, stdout: true, logs: true })
    }, patient)) as Duplex
    attached.end('second\n')
    expect(textOf(await buffer(attached))).toBe('first\nsecond\n')
    expect(textOf(await buffer(late))).toBe('first\nsecond\n')
    await container.remove()
  })

  test('logs follow a container to its end, and can be cut', async () => {
    const container = await run(['sh', '-c', 'for i in 1 2 3; do echo $i; done'])
    const followed = (await container.logs({ follow: true, stdout: true })) as unknown as Readable
    const framed = await buffer(followed)
    expect(new StdcopyParser().push(framed).map(({ data }) => data.toString())).toEqual(['1\n', '2\n', '3\n'])
    await container.wait()
    expect(textOf(await container.logs({ stdout: true, tail: 1, timestamps: true }))).toMatch(/^\d{4}-\S+Z 3\n$/)
    expect(await container.logs({ stdout: true, until: 1 })).toHaveLength(0)
    await expect(container.logs({})).rejects.toThrow('you must choose at least one stream')
    await container.remove()
  })

  test('files go in and come out, and diff tells which', async () => {
    const container = await docker.createContainer({ Image: 'busybox', Cmd: ['sleep', '1000'] })
    const tar = tarStream((archive) =>
      archive.add(
        { name: 'dir/file', type: 'file', mode: 0o640, uid: 0, gid: 0, mtime: new Date(0), size: 4 },
        Buffer.from('text'),
      ),
    )
    await container.putArchive(tar, { path: '/tmp' })
    const names: string[] = []
    for await (const { header } of readTar((await container.getArchive({ path: '/tmp/dir' })) as Readable))
      names.push(header.name)
    expect(names).toEqual(['dir/', 'dir/file'])
    expect(await container.changes()).toEqual(
      expect.arrayContaining([expect.objectContaining({ Path: '/tmp/dir/file', Kind: 1 })]),
    )
    await expect(container.getArchive({ path: '/none' })).rejects.toThrow('Could not find the file /none')
    await expect(container.putArchive(Readable.from(['no tar']), { path: '/tmp/dir/file' })).rejects.toThrow(
      'extraction point is not a directory',
    )
    const { Id } = (await container.commit({ repo: 'mine', tag: 'v1', changes: 'LABEL a=b' })) as { Id: string }
    expect(await docker.getImage('mine:v1').inspect()).toMatchObject({ Id, Config: { Labels: { a: 'b' } } })
    await docker.getImage('mine:v1').remove()
    await container.remove()
  })

  test('volumes: made for a container, seeded, kept, pruned', async () => {
    const options = { WorkingDir: '/data', HostConfig: { Binds: ['data:/data'] } }
    const writer = await run(['sh', '-c', 'echo kept >file'], options)
    await outputOf(writer)
    const volume = docker.getVolume('data')
    const { Mountpoint } = await volume.inspect()
    expect(readFileSync(join(Mountpoint, 'file'), 'utf8')).toBe('kept\n')
    await expect(volume.remove()).rejects.toMatchObject({ statusCode: 409 })
    await writer.remove()
    expect((await docker.listVolumes()).Volumes.map(({ Name }) => Name)).toContain('data')
    await docker.pruneVolumes({ filters: { all: ['true'] } })
    expect(existsSync(Mountpoint)).toBe(false)
  })

  test('networks: addresses, names, coming and going', async () => {
    const network = await docker.createNetwork({ Name: 'mine' })
    const container = await run(['sleep', '1000'], { name: 'here', HostConfig: { NetworkMode: 'mine' } })
    const address = (await container.inspect()).NetworkSettings.Networks['mine']?.IPAddress
    expect(address).toMatch(each.address)
    expect(await network.inspect()).toMatchObject({ Name: 'mine', Containers: { [container.id]: { Name: 'here' } } })
    await docker.getNetwork('bridge').connect({ Container: 'here' })
    expect(Object.keys((await container.inspect()).NetworkSettings.Networks)).toEqual(['mine', 'bridge'])
    await docker.getNetwork('bridge').disconnect({ Container: 'here' })
    await expect(network.remove()).rejects.toMatchObject({ statusCode: 403 })
    await container.remove({ force: true })
    await network.remove()
    await expect(docker.getNetwork('mine').inspect()).rejects.toMatchObject({ statusCode: 404 })
  })

  test('a build runs its steps in containers', async () => {
    const dockerfile = 'FROM busybox\nWORKDIR /work\nRUN echo built > made\nCMD ["cat", "made"]\n'
    const context = tarStream((archive) =>
      archive.add(
        { name: 'Dockerfile', type: 'file', mode: 0o644, uid: 0, gid: 0, mtime: new Date(0), size: dockerfile.length },
        Buffer.from(dockerfile),
      ),
    )
    const said = await text((await docker.buildImage(context, { t: 'built' })) as Readable)
    expect(said).toContain('Successfully tagged built:latest')
    const container = await run([], { Image: 'built' })
    expect(await outputOf(container)).toEqual({ code: 0, out: 'built\n' })
    await container.remove()
  }, 30_000)

  test('images: listed, tagged, told the history of, saved and loaded, removed', async () => {
    const image = docker.getImage('busybox')
    await image.tag({ repo: 'other', tag: 'v2' })
    const tags = (await docker.listImages()).flatMap(({ RepoTags }) => RepoTags ?? [])
    expect(tags).toEqual(expect.arrayContaining(['busybox:latest', 'other:v2']))
    expect(await image.history()).not.toHaveLength(0)
    const saved = await buffer((await docker.getImage('other:v2').get()) as Readable)
    await docker.getImage('other:v2').remove()
    await expect(docker.getImage('other:v2').inspect()).rejects.toMatchObject({ statusCode: 404 })
    await text((await docker.loadImage(Readable.from([saved]))) as Readable)
    expect((await docker.getImage('other:v2').inspect()).Id).toBe((await image.inspect()).Id)
    await docker.getImage('other:v2').remove()
  })

  test('the engine tells of itself and of what happens', async () => {
    expect(await docker.ping()).toHaveLength(2)
    expect(await docker.info()).toMatchObject({ Driver: expect.any(String), OSType: 'linux' })
    expect((await docker.version()).ApiVersion).toMatch(/^1\.\d+$/)
    const since = Math.floor(Date.now() / 1000) - 1
    const container = await run(['true'])
    await container.wait()
    await container.remove()
    const until = Math.floor(Date.now() / 1000) + 1
    const events = await text(
      (await docker.getEvents({ since, until, filters: { container: [container.id] } })) as Readable,
    )
    const actions = events
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { Action: string }).Action)
    expect(actions).toEqual(['create', 'start', 'die', 'destroy'])
    expect(await docker.df()).toHaveProperty('Containers')
  })

  test('containers outlive the runtime, and the next one reads what they said meanwhile', async () => {
    const flags = join(root, 'flags')
    mkdirSync(flags)
    const script = 'echo before; until [ -e go-on ]; do sleep 0.05; done; echo after; exit 6'
    const options = { WorkingDir: '/flags', HostConfig: { Binds: [`${flags}:/flags`] } }
    const container = await run(['sh', '-c', script], options)
    await vi.waitFor(async () => expect(textOf(await container.logs({ stdout: true }))).toBe('before\n'), patient)
    await stop()
    writeFileSync(join(flags, 'go-on'), '')
    await start()
    expect(await outputOf(container)).toEqual({ code: 6, out: 'before\nafter\n' })
    await container.remove()
  }, 60_000)

  test('a terminal: one bare stream that is as large as was said', async () => {
    const container = await docker.createContainer({
      Image: 'busybox',
      Cmd: ['sh', '-c', 'stty size; cat'],
      Tty: true,
      OpenStdin: true,
      StdinOnce: true,
      HostConfig: { ConsoleSize: [33, 99] },
    })
    const attached = (await container.attach({ stream: true, stdin: true, stdout: true, hijack: true })) as Duplex
    const seen = new PassThrough()
    attached.pipe(seen)
    let said = ''
    seen.on('data', (chunk: Buffer) => (said += chunk.toString()))
    await container.start()
    await vi.waitFor(() => expect(said).toContain('33 99'), patient)
    // A client that goes is not the end of the terminal.
    attached.end()
    await container.resize({ h: 40, w: 100 })
    expect((await container.inspect()).State.Running).toBe(true)
    await container.remove({ force: true })
  })
})
