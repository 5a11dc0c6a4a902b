/**
 * The runtime as its clients see it: through the real docker CLI where there is one, and through dockerode.
 */

import { createServer, get } from 'node:http'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { StdcopyParser } from '@dinghy/shared/docker/stdcopy'
import { isInstalled } from './harness/cluster.ts'
import { eventually, RuntimeProcess } from './harness/runtime.ts'

const isRoot = process.platform === 'linux' && process.getuid?.() === 0
/** Optional; oci.test.ts is skipped in sight when there is none. */
const hasOciRuntime = isInstalled('crun') || isInstalled('runc')
const hasBridges = isRoot && isInstalled('ip')
const cases = [
  ...(hasBridges ? [['linux', 'bridge']] : []),
  ...(isRoot ? [['linux', 'loopback']] : []),
  ...(isRoot && hasOciRuntime ? [['oci', hasBridges ? 'bridge' : 'loopback']] : []),
  ['process', 'loopback'],
] as [string, string][]
/** Lives until it is told to stop; PID 1 has no default for SIGTERM. */
const serve = ['sh', '-c', "trap 'exit 143' TERM; echo up; while :; do sleep 0.05; done"]

describe.each(cases)('the %s driver, %s networks', (driver, network) => {
  const runtime = new RuntimeProcess('--driver', driver, '--network', network)
  const { docker } = runtime

  beforeAll(async () => {
    await runtime.start()
    for (const name of ['busybox', 'node']) {
      const stream = await docker.pull(name)
      await new Promise((resolve) => docker.modem.followProgress(stream, resolve))
    }
  })
  afterAll(() => runtime.destroy())

  describe.runIf(isInstalled('docker'))('docker', () => {
    test.each([
      ['success', ['busybox', 'sh', '-c', 'echo out; echo err >&2'], 0, 'out\n', /^err\n$/],
      ['an exit code', ['busybox', 'sh', '-c', 'exit 7'], 7, '', /^$/],
      ['a program that is not there', ['busybox', 'nope'], 127, '', /executable file not found in \$PATH/],
      ['a file that is no program', ['busybox', '/etc'], 126, '', /permission denied/],
      ['a signal', ['--init', 'busybox', 'sh', '-c', 'kill -TERM $$'], 143, '', /^$/],
      ['an invalid name', ['--name', '-', 'busybox', 'true'], 125, '', /Invalid container name/],
    ])('run --rm: %s', (_name, args, code, stdout, stderr) => {
      const output = runtime.cli(['run', '--rm', ...args])
      expect(output).toMatchObject({ code, stdout })
      const [warning = '', ...rest] = output.stderr.split(/(?<=^WARNING: The process driver isolates nothing.*\n)/)
      const isWarned = driver === 'process' && code !== 125
      if (isWarned) expect(warning).toContain('this container is a process of this machine')
      expect(isWarned ? rest.join('') : output.stderr).toMatch(stderr)
    })

    test('run -i: input and its end reach the program', () => {
      expect(runtime.cli(['run', '--rm', '-i', 'busybox', 'cat'], 'hello\n')).toMatchObject({
        code: 0,
        stdout: 'hello\n',
      })
    })

    test('run -d, exec, logs, stop, start, kill, wait, rm', () => {
      const { stdout: id } = runtime.cli(['run', '-d', '--name', 'web', 'busybox', ...serve])
      expect(id).toMatch(/^[0-9a-f]{64}\n$/)
      expect(runtime.cli(['run', '--name', 'web', 'busybox', 'true'])).toMatchObject({ code: 125 })
      expect(runtime.cli(['exec', 'web', 'sh', '-c', 'echo in; exit 5'])).toMatchObject({ code: 5, stdout: 'in\n' })
      expect(runtime.cli(['exec', '-i', 'web', 'cat'], 'through').stdout).toBe('through')
      expect(runtime.cli(['exec', 'web', 'nope'])).toMatchObject({ code: 127 })
      expect(runtime.cli(['logs', 'web']).stdout).toBe('up\n')
      expect(runtime.cli(['ps', '--format', '{{.Names}} {{.State}}']).stdout).toBe('web running\n')
      expect(runtime.cli(['rm', 'web']).stderr).toContain('container is running: stop the container before removing')
      expect(runtime.cli(['stop', 'web']).code).toBe(0)
      expect(runtime.cli(['wait', 'web']).stdout).toBe('143\n')
      runtime.cli(['start', 'web'])
      runtime.cli(['kill', 'web'])
      expect(runtime.cli(['inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'web']).stdout).toBe('exited 137\n')
      expect(runtime.cli(['logs', 'web']).stderr).toBe('')
      expect(runtime.cli(['rm', 'web']).code).toBe(0)
      expect(runtime.cli(['inspect', 'web'])).toMatchObject({ code: 1 })
    })

    test('cp goes in and out of running and stopped containers', () => {
      runtime.cli(['run', '-d', '--name', 'files', 'busybox', ...serve])
      const file = join(runtime.dir, 'file.txt')
      writeFileSync(file, 'content')
      expect(runtime.cli(['cp', file, 'files:/tmp/'])).toMatchObject({ code: 0 })
      expect(runtime.cli(['cp', 'files:/tmp/file.txt', '-']).stdout).toContain('content')
      runtime.cli(['stop', 'files'])
      expect(runtime.cli(['cp', 'files:/tmp/file.txt', '-']).stdout).toContain('content')
      expect(runtime.cli(['cp', 'files:/nope', '-']).stderr).toContain(
        'Could not find the file /nope in container files',
      )
      runtime.cli(['rm', 'files'])
    })

    test('what is put into a --rm container before it starts is there when it runs', () => {
      const file = join(runtime.dir, 'early.txt')
      writeFileSync(file, 'early\n')
      const { stdout: id } = runtime.cli(['create', '--rm', 'busybox', 'cat', '/tmp/early.txt'])
      expect(runtime.cli(['cp', file, `${id.trim()}:/tmp/`])).toMatchObject({ code: 0 })
      expect(runtime.cli(['diff', id.trim()]).stdout).toContain('A /tmp/early.txt')
      expect(runtime.cli(['start', '-a', id.trim()]).stdout).toBe('early\n')
    })

    test('build: RUN changes its own files and nothing else', () => {
      const context = join(runtime.dir, 'context')
      const outside = join(runtime.dir, 'outside')
      mkdirSync(context)
      writeFileSync(
        join(context, 'Dockerfile'),
        `FROM busybox\nWORKDIR /app\nRUN echo inside > file; (echo x > ${outside}) 2>/dev/null; true\n`,
      )
      const built = runtime.cli(['build', '-q', '-t', 'built', context])
      expect(built.code).toBe(0)
      expect(runtime.cli(['run', '--rm', 'built', 'cat', '/app/file']).stdout).toBe('inside\n')
      expect(existsSync(outside)).toBe(false)
    })

    test('another image’s files, read-only', () => {
      const dockerfile =
        'FROM scratch\nCOPY --chmod=640 Dockerfile /data/sub/file\nCOPY Dockerfile /over\nCOPY Dockerfile /data/over\n'
      const context = join(runtime.dir, 'data')
      mkdirSync(context)
      writeFileSync(join(context, 'Dockerfile'), dockerfile)
      expect(runtime.cli(['build', '-q', '-t', 'data', context])).toMatchObject({ code: 0 })
      const run = (mount: string, ...command: string[]) =>
        runtime.cli(['run', '--rm', '--mount', `type=image,src=${mount}`, 'busybox', ...command])
      expect(run('data,dst=/i', 'cat', '/i/over').stdout).toBe(dockerfile)
      expect(run('data,dst=/i', 'stat', '-c', '%a', '/i/data/sub/file').stdout).toBe('640\n')
      if (driver !== 'process') {
        expect(run('data,dst=/i,image-subpath=data', 'ls', '/i').stdout).toBe('over\nsub\n')
        expect(run('data,dst=/i,image-subpath=data/sub/file', 'cat', '/i').stdout).toBe(dockerfile)
        for (const path of ['/i/new', '/i/over']) {
          expect(run('data,dst=/i', 'sh', '-c', `echo x >${path}`).stderr).toContain('Read-only file system')
        }
        // One that is made of this machine's files brings those along.
        expect(run('busybox,dst=/i', 'sh', '-c', '/i/usr/bin/env echo hi; touch /i/usr/new')).toMatchObject({
          stdout: 'hi\n',
          stderr: expect.stringContaining('Read-only file system'),
        })
      }
      expect(run('data,dst=/i,image-subpath=nope', 'true').stderr).toContain('no such file or directory')
      expect(run('nosuch,dst=/i', 'true').stderr).toContain('No such image: nosuch:latest')
      expect(readdirSync(join(runtime.root, 'image-mounts'))).toEqual([])
      runtime.cli(['rmi', 'data'])
    })

    test('networks, ports and names', async () => {
      const script = join(runtime.dir, 'server.cjs')
      writeFileSync(
        script,
        "require('http').createServer((q, r) => r.end(r.socket.localAddress.replace('::ffff:', ''))).listen(8080, () => console.log('up')); process.on('SIGTERM', () => process.exit())",
      )
      runtime.cli(['network', 'create', 'n1'])
      const run = ['run', '-d', '--network', 'n1', '-v', `${script}:/server.cjs:ro`]
      expect(runtime.cli([...run, '--name', 'one', '-p', '8080', 'node', 'node', '/server.cjs']).code).toBe(0)
      expect(runtime.cli([...run, '--name', 'two', 'node', 'node', '/server.cjs']).code).toBe(0)
      const port = /:(\d+)/.exec(runtime.cli(['port', 'one', '8080']).stdout)?.[1]
      await eventually(
        () => runtime.cli(['logs', 'one']).stdout === 'up\n' && runtime.cli(['logs', 'two']).stdout === 'up\n',
      )
      const [one, two] = ['one', 'two'].map((name) =>
        runtime.cli(['inspect', '-f', '{{.NetworkSettings.Networks.n1.IPAddress}}', name]).stdout.trim(),
      )
      expect(one?.startsWith('127.')).toBe(network === 'loopback')
      expect(one).not.toBe(two)
      expect(await fetchText(`http://127.0.0.1:${port}/`)).toBe(one)
      expect(await fetchText(`http://${two}:8080/`)).toBe(two)
      if (driver !== 'process') {
        const call = "fetch('http://two:8080').then((r) => r.text()).then((t) => process.stdout.write(t))"
        expect(runtime.cli(['exec', 'one', 'node', '-e', call]).stdout).toBe(two)
      }
      const taken = runtime.cli(['run', '-d', '--name', 'three', '-p', `${port}:80`, 'busybox', 'true'])
      expect(taken).toMatchObject({ code: 125 })
      expect(taken.stderr).toContain('port is already allocated')
      expect(runtime.cli(['network', 'rm', 'n1']).stderr).toContain('has active endpoints')
      runtime.cli(['rm', '-f', 'one', 'two', 'three'])
      expect(runtime.cli(['network', 'rm', 'n1']).code).toBe(0)
    })
  })

  test('logs -f ends with the container, attach sees what comes after it', async () => {
    const container = await docker.createContainer({
      Image: 'busybox',
      Cmd: ['sh', '-c', 'read line; echo "got $line"; echo err >&2'],
      OpenStdin: true,
      StdinOnce: true,
    })
    const stream = await container.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true })
    const [stdout, stderr] = [collect(), collect()]
    container.modem.demuxStream(stream, stdout.stream, stderr.stream)
    const ended = once(stream, 'end')
    stream.write('early\n') // before there is anything to read it
    await container.start()
    const logs = await container.logs({ follow: true, stdout: true, stderr: true, timestamps: true })
    await once(logs.resume(), 'end')
    await ended
    expect([stdout.text(), stderr.text()]).toEqual(['got early\n', 'err\n'])
    await container.remove()
  })

  test('wait answers with headers at once, and with the code at the end', async () => {
    const container = await docker.createContainer({ Image: 'busybox', Cmd: ['sh', '-c', 'exit 3'] })
    const waiting = container.wait({ condition: 'next-exit' })
    await container.start()
    expect(await waiting).toEqual({ StatusCode: 3 })
    expect(await container.wait()).toEqual({ StatusCode: 3 })
    await container.remove()
  })

  test('restart policies', async () => {
    const container = await docker.createContainer({
      Image: 'busybox',
      Cmd: ['sh', '-c', 'echo try; exit 1'],
      HostConfig: { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 } },
    })
    await container.start()
    await eventually(async () => (await container.inspect()).State.Status === 'exited')
    const { RestartCount, State } = await container.inspect()
    expect([RestartCount, State.ExitCode]).toEqual([2, 1])
    await container.remove()
  })

  test('health checks', async () => {
    const container = await docker.createContainer({
      Image: 'busybox',
      Cmd: serve,
      Healthcheck: { Test: ['CMD-SHELL', 'exit 1'], Interval: 50e6, Timeout: 5e9, Retries: 2 },
    })
    await container.start()
    await eventually(async () => (await container.inspect()).State.Health?.Status === 'unhealthy')
    await container.remove({ force: true })
  })

  test('the driver tells what changed', async () => {
    const container = await docker.createContainer({
      Image: 'busybox',
      Cmd: ['sh', '-c', 'echo x > made'],
      WorkingDir: '/work',
    })
    await container.start()
    await container.wait()
    expect(await container.changes()).toEqual([
      { Path: '/work', Kind: 1 },
      { Path: '/work/made', Kind: 1 },
    ])
    await container.remove()
  })

  test('exec and archives find the container’s own files from the first moment on', async () => {
    for (let i = 0; i < 8; i++) {
      const container = await docker.createContainer({ Image: 'busybox', Cmd: serve })
      await container.start()
      const [name] = await Promise.all([
        container.getArchive({ path: '/etc/hostname' }).then((archive) => text(archive)),
        container.exec({ Cmd: ['true'] }).then((exec) => exec.start({ Detach: true })),
      ])
      expect(name).toContain(container.id.slice(0, 12))
      await container.remove({ force: true })
    }
  })

  test('a killed runtime leaves containers running, and the next one goes on', async () => {
    const [server] = await servers(1)
    const long = await docker.createContainer({
      Image: 'busybox',
      Cmd: ['sh', '-c', "trap 'exit 9' TERM; i=0; while :; do i=$((i+1)); echo line $i; sleep 0.01; done"],
      ExposedPorts: { '80/tcp': {} },
      HostConfig: { PortBindings: { '80/tcp': [{ HostPort: String(server) }] } },
    })
    // Writes more than a FIFO holds, and ends, while nobody is there to read.
    const meanwhile = await docker.createContainer({
      Image: 'busybox',
      Cmd: ['sh', '-c', 'sleep 0.3; i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo $i; done; exit 4'],
    })
    await long.start()
    await meanwhile.start()
    const before = await long.inspect()
    await runtime.end('SIGKILL')
    process.kill(before.State.Pid, 0) // throws if it had died
    await runtime.start()
    const after = await long.inspect()
    expect(after.State).toEqual(before.State)
    expect(after.NetworkSettings.Ports).toEqual(before.NetworkSettings.Ports)
    expect((await meanwhile.wait()).StatusCode).toBe(4)
    const logs = (await meanwhile.logs({ stdout: true, stderr: true })).toString('latin1')
    expect(logs.match(/\n/g)).toHaveLength(3000)
    await long.stop()
    expect((await long.inspect()).State.ExitCode).toBe(9)
    const lines = [...(await long.logs({ stdout: true })).toString('latin1').matchAll(/line (\d+)/g)].map((match) =>
      Number(match[1]),
    )
    const last = lines.at(-1) ?? 0
    expect(lines).toEqual([...new Set(lines)].toSorted((a, b) => a - b))
    // The runtime may have been killed between reading a line and writing it, which no runtime can help.
    expect(lines.length).toBeGreaterThanOrEqual(last - 1)
    await long.remove()
    await meanwhile.remove()
  })

  test('a killed runtime’s successor removes --rm containers that were made and never ran', async () => {
    const Image = 'busybox'
    const temporary = await docker.createContainer({ Image, Cmd: ['true'], HostConfig: { AutoRemove: true } })
    const kept = await docker.createContainer({ Image, Cmd: ['true'] })
    await runtime.end('SIGKILL')
    await runtime.start()
    await expect(temporary.inspect()).rejects.toThrow('No such container')
    expect((await kept.inspect()).State.Status).toBe('created')
    await kept.remove()
  })

  test('nothing is left behind', async () => {
    const container = await docker.createContainer({ Image: 'busybox', Cmd: serve, HostConfig: { AutoRemove: true } })
    await container.start()
    expect(runtime.leftovers()).not.toEqual([])
    await container.kill()
    await eventually(async () => (await docker.listContainers({ all: true })).length === 0)
    await eventually(() => runtime.leftovers().length === 0)
  })

  const run = async (Cmd: string[], options: object = {}): Promise<{ code: number; out: string; oom: boolean }> => {
    const container = await docker.createContainer({ Image: 'node', Cmd, ...options })
    await container.start()
    const { StatusCode } = (await container.wait()) as { StatusCode: number }
    const out = textOf(await container.logs({ stdout: true }))
    const { OOMKilled } = (await container.inspect()).State
    await container.remove({ v: true })
    return { code: StatusCode, out, oom: OOMKilled }
  }

  test.runIf(driver !== 'process')('limits are enforced, namespaces are separate, volumes are seeded', async () => {
    const eat = 'const a = []; for (;;) a.push(Buffer.alloc(1e6, 1))'
    expect(
      await run(['node', '-e', eat], { HostConfig: { Memory: 48 * 2 ** 20, MemorySwap: 48 * 2 ** 20 } }),
    ).toMatchObject({ code: 137, oom: true })
    expect((await run(['sh', '-c', 'echo $$ $(hostname)'], { Hostname: 'box' })).out).toBe('1 box\n')
    expect((await run(['id', '-u'], { User: 'node' })).out).toBe('1000\n')
    expect((await run(['sh', '-c', 'touch /x'], { HostConfig: { ReadonlyRootfs: true } })).code).not.toBe(0)
    expect((await run(['ls', '-d', '/var/log/.'], { Volumes: { '/var/log': {} } })).out).toBe('/var/log/.\n')
    expect((await docker.listVolumes()).Volumes).toEqual([])
  })

  test.runIf(driver === 'linux')(
    'the privileged have every device of this machine in a /dev of their own, others have none',
    async () => {
      const ofTheMachine = readdirSync('/dev').filter((name) => !['hugepages', 'initctl', 'log'].includes(name))
      const own = await run(['sh', '-c', 'ls /dev; grep CapEff /proc/self/status'])
      const privileged = await run(['sh', '-c', 'ls /dev; grep CapEff /proc/self/status'], {
        HostConfig: { Privileged: true },
      })
      expect(privileged.out.split('\n')).toEqual(expect.arrayContaining(ofTheMachine))
      expect(own.out).not.toMatch(/^(kmsg|loop.*|vd.|sd.)$/m)
      expect(own.out).toContain('00000000a80425fb')
      expect(privileged.out).not.toContain('00000000a80425fb')
      // Opening is enough: what is read from it is the machine's business.
      const device = ['kmsg', 'loop-control', 'fuse', 'full'].find((name) => ofTheMachine.includes(name)) ?? ''
      const use = `fs.openSync('/dev/${device}', 'r'); fs.rmSync('/dev/${device}'); fs.writeFileSync('/dev/mine', 'x')`
      expect(await run(['node', '-e', use], { HostConfig: { Privileged: true } })).toMatchObject({ code: 0 })
      expect(readdirSync('/dev')).toContain(device)
      expect(existsSync('/dev/mine')).toBe(false)
      const masked = 'ls /proc/keys /sys/firmware; grep -c " /proc/sys " /proc/mounts; grep " /sys " /proc/mounts'
      const unmasked = await run(['sh', '-c', masked], { HostConfig: { Privileged: true } })
      expect(unmasked.out).toMatch(/^0$/m)
      expect(unmasked.out).toMatch(/ sysfs rw,/)
    },
  )

  test('a body that is no JSON, a page that is not there', async () => {
    await expect(docker.createContainer({ Image: 'ghost', Cmd: ['x'] })).rejects.toMatchObject({ statusCode: 404 })
    await expect(docker.getContainer('ghost').inspect()).rejects.toThrow('No such container: ghost')
    const answer = await request(runtime.socket, '/v1.41/nothing')
    expect(answer).toEqual({ status: 404, body: '{"message":"page not found"}\n' })
  })
})

/** What is in the frames. */
function textOf(framed: Buffer): string {
  const pieces = new StdcopyParser().push(framed)
  return Buffer.concat(pieces.map(({ data }) => data)).toString()
}

function collect(): { stream: PassThrough; text: () => string } {
  const stream = new PassThrough()
  let text = ''
  stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
  return { stream, text: () => text }
}

async function fetchText(url: string): Promise<string> {
  return (await fetch(url)).text()
}

async function request(socketPath: string, path: string): Promise<{ status: number; body: string }> {
  const [response] = await once(get({ socketPath, path }), 'response')
  let body = ''
  for await (const chunk of response) body += String(chunk)
  return { status: response.statusCode, body }
}

/** Ports that are free at the moment. */
async function servers(count: number): Promise<number[]> {
  const ports: number[] = []
  for (let index = 0; index < count; index++) {
    const server = createServer().listen(0)
    await once(server, 'listening')
    ports.push((server.address() as { port: number }).port)
    server.close()
  }
  return ports
}
