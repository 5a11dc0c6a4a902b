/**
 * The linux driver for an ordinary user: containers in a user namespace, isolated from this machine and from that
 * user's own files. As root, the suite starts it as a user who has no other processes; an ordinary user starts it as
 * himself. The tests assume what holds everywhere: root is the only user in there, and there may be no cgroups.
 */

import { spawnSync } from 'node:child_process'
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, type Readable } from 'node:stream'
import { once } from 'node:events'
import type Docker from 'dockerode'
import type { ContainerCreateOptions } from 'dockerode'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Cluster, until } from './harness/cluster.ts'
import { eventually, rootlessLauncher, RuntimeProcess, type User } from './harness/runtime.ts'

const isRoot = process.getuid?.() === 0
const user: User | undefined = isRoot ? { uid: 64_123, gid: 64_123 } : undefined
const refusal = process.platform === 'linux' ? whyNot() : 'user namespaces are Linux'

/** Where root can make a cgroup for that user. */
const cgroups = isRoot && process.platform === 'linux' ? mountOf('cgroup2') : undefined

function mountOf(type: string): string | undefined {
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n')
  return mounts.map((line) => line.split(' ')).find((fields) => fields[2] === type)?.[1]
}

/** Empty if this machine lets that user have containers; the reason is in the title of what is skipped. */
function whyNot(): string {
  const dir = mkdtempSync(join(tmpdir(), 'rootless-'))
  if (user) chownSync(dir, user.uid, user.gid)
  const node = [process.execPath, '--print', 'process.env.DINGHY_NOT_ROOTLESS ?? ""']
  const { stdout, stderr } = spawnSync('/bin/sh', [rootlessLauncher, dir, ...node], {
    ...user,
    cwd: '/',
    encoding: 'utf8',
  })
  rmSync(dir, { recursive: true, force: true })
  return `${stdout}${stderr}`.trim().split('\n')[0] ?? ''
}

describe.skipIf(refusal !== '')(`an ordinary user's runtime${refusal && ` (skipped: ${refusal})`}`, () => {
  let runtime: RuntimeProcess
  let docker: Docker
  const serve = ['sh', '-c', "trap 'exit 143' TERM; echo up; while :; do sleep 0.05; done"]

  // Not earlier: a suite that is skipped leaves no directory.
  beforeAll(async () => {
    runtime = new RuntimeProcess('--driver', 'linux').rootless(user)
    docker = runtime.docker
    await runtime.start()
    const stream = await docker.pull('busybox')
    await new Promise((resolve) => docker.modem.followProgress(stream, resolve))
  })
  afterAll(() => runtime.destroy())

  const start = async (options: ContainerCreateOptions) => {
    const container = await docker.createContainer({ Image: 'busybox', ...options })
    await container.start()
    return container
  }

  const run = async (script: string, options: ContainerCreateOptions = {}): Promise<{ code: number; out: string }> => {
    const container = await start({ Cmd: ['sh', '-c', script], ...options })
    const { StatusCode } = (await container.wait()) as { StatusCode: number }
    const out = plain(await container.logs({ stdout: true, stderr: true }))
    await container.remove({ v: true })
    return { code: StatusCode, out }
  }

  const execIn = async (container: { id: string }, Cmd: string[], options: object = {}) => {
    const exec = await docker
      .getContainer(container.id)
      .exec({ Cmd, AttachStdout: true, AttachStderr: true, ...options })
    const stream = await exec.start({})
    const out = new PassThrough()
    let text = ''
    out.on('data', (chunk: Buffer) => (text += chunk.toString()))
    docker.modem.demuxStream(stream, out, out)
    await once(stream, 'end')
    return { code: (await exec.inspect()).ExitCode, out: text }
  }

  const newFile = (name: string, content: string): string => {
    const path = join(runtime.dir, name)
    writeFileSync(path, content)
    if (user) chownSync(path, user.uid, user.gid)
    return path
  }

  test('info says what it is and what is missing', async () => {
    const info = (await docker.info()) as { Driver: string; SecurityOptions: string[]; Warnings: string[] }
    expect(info).toMatchObject({ Driver: 'overlay2', SecurityOptions: ['name=rootless'] })
    expect(info.Warnings.join('\n')).toMatch(/^rootless: /m)
  })

  test.each([
    ['success', 'exit 0', 0],
    ['an exit code', 'exit 7', 7],
    ['a signal', 'sh -c "kill -TERM \\$\\$"', 143],
  ])('%s', async (_name, script, code) => {
    expect(await run(script)).toMatchObject({ code })
  })

  test('names, processes and root are its own', async () => {
    expect(await run('hostname; echo $$; id -u; ls -d /proc/[0-9]* | wc -l', { Hostname: 'box' })).toEqual({
      code: 0,
      // The list is made by a second process, and counted by a third.
      out: expect.stringMatching(/^box\n1\n0\n[23]\n$/),
    })
    const masked = await run(
      'wc -c </proc/timer_list; ls /sys/firmware; ls -A /sys/fs/cgroup; echo >/proc/sys/kernel/hostname',
    )
    expect(masked.out).toMatch(/^0\n/)
    expect(masked.out).toMatch(/Read-only file system/)
    expect((await run('grep CapEff /proc/self/status')).out).toContain('00000000a80425fb')
    expect((await run('grep -c : /proc/net/dev', { HostConfig: { NetworkMode: 'none' } })).out).toBe('1\n')
  })

  test("the machine's files are out of reach, the user's own too, but for what is mounted", async () => {
    const own = newFile('own', 'before')
    expect((await run(`cat ${own}; echo after >${own}`)).code).not.toBe(0)
    expect(readFileSync(own, 'utf8')).toBe('before')
    const HostConfig = { Binds: ['/etc:/theirs', `${own}:/mine`, `${own}:/readable:ro`] }
    const script = 'echo x >>/theirs/passwd; echo x >/readable; echo after >/mine; chown 1 /mine'
    const { out } = await run(script, { HostConfig })
    expect(out).toMatch(/passwd: Permission denied/)
    expect(out).toMatch(/readable: Read-only file system/)
    expect(out).toMatch(/chown/)
    expect(readFileSync(own, 'utf8')).toBe('after\n')
  })

  test("this machine's programs can be added to and replaced, in the container only", async () => {
    const script =
      'rm /usr/bin/env && echo "#!/bin/sh" >/usr/bin/env && chmod +x /usr/bin/env && env; ls -l /usr/bin/env'
    expect((await run(script)).out).toMatch(/^-rwxr-xr-x 1 root root/)
    expect(spawnSync('env').status).toBe(0)
  })

  test('other users are refused, not ignored', async () => {
    for (const options of [{ User: '1000' }, { User: 'node' }, { HostConfig: { GroupAdd: ['5'] } }]) {
      const container = await docker.createContainer({ Image: 'busybox', Cmd: ['true'], ...options })
      await expect(container.start()).rejects.toThrow(/package uidmap/)
      await container.remove()
    }
  })

  test('a program on a terminal has its keys, and its exit code counts', async () => {
    const container = await docker.createContainer({
      Image: 'busybox',
      Cmd: ['sh', '-c', "trap 'echo int; exit 3' INT; test -t 0 && echo ready; while :; do sleep 0.05; done"],
      Tty: true,
      OpenStdin: true,
    })
    const stream = await container.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true })
    let out = ''
    stream.on('data', (chunk: Buffer) => (out += chunk.toString()))
    await container.start()
    await eventually(() => out.includes('ready'))
    stream.write('\x03')
    expect(await container.wait()).toEqual({ StatusCode: 3 })
    expect(out).toContain('int')
    await container.remove()
  })

  test('exec, top, stats, pause, kill', async () => {
    const container = await start({ Cmd: serve })
    expect(await execIn(container, ['sh', '-c', 'cat /proc/1/comm; id -u; exit 5'])).toEqual({
      code: 5,
      out: 'sh\n0\n',
    })
    expect(await execIn(container, ['sh', '-c', 'test -t 1 && exit 6'], { Tty: true })).toMatchObject({ code: 6 })
    expect((await container.top()).Processes.length).toBeGreaterThan(0)
    expect((await container.stats({ stream: false })).memory_stats.usage).toBeGreaterThan(0)
    const { Pid } = (await container.inspect()).State
    await container.pause()
    expect(readFileSync(`/proc/${Pid}/stat`, 'utf8')).toMatch(/\) T /)
    await container.unpause()
    await eventually(() => !/\) T /.test(readFileSync(`/proc/${Pid}/stat`, 'utf8')))
    await container.kill()
    expect(await container.wait()).toEqual({ StatusCode: 137 })
    await container.remove()
  })

  test('what is shared with the machine is shared, for an exec too', async () => {
    const HostConfig = { PidMode: 'host', IpcMode: 'host', UTSMode: 'host' }
    const container = await start({ Cmd: serve, HostConfig })
    const own = (kind: string) => readlinkSync(`/proc/self/ns/${kind}`)
    expect(
      await execIn(container, ['readlink', '/proc/self/ns/ipc', '/proc/self/ns/uts', '/proc/self/ns/pid']),
    ).toEqual({
      code: 0,
      out: `${own('ipc')}\n${own('uts')}\n${own('pid')}\n`,
    })
    await container.remove({ force: true })
  })

  test('files go in and out of running and stopped containers, changes are seen and committed', async () => {
    const container = await start({ Cmd: serve, WorkingDir: '/work' })
    newFile('mine', 'content')
    const { stdout: archive } = spawnSync('tar', ['-cf', '-', '-C', runtime.dir, 'mine'], { maxBuffer: 1 << 24 })
    const fetched = async () => {
      const stream = (await container.getArchive({ path: '/work/mine' })) as Readable
      return (await stream.toArray()).join('')
    }
    await container.putArchive(archive, { path: '/work' })
    expect(await fetched()).toContain('content')
    await container.stop()
    expect(await fetched()).toContain('content')
    expect(await container.changes()).toEqual([
      { Path: '/work', Kind: 1 },
      { Path: '/work/mine', Kind: 1 },
    ])
    await container.commit({ repo: 'committed' })
    await container.remove()
    expect((await run('cat /work/mine', { Image: 'committed' })).out).toBe('content')
  })

  test('build: RUN changes its own files, deletions and owners included, and nothing else', async () => {
    const context = join(runtime.dir, 'context')
    const outside = newFile('outside', 'untouched')
    mkdirSync(context)
    writeFileSync(
      join(context, 'Dockerfile'),
      `FROM busybox
WORKDIR /app
COPY --chown=1000 Dockerfile gone /app/
RUN rm gone && mkdir -p d && echo 1 >d/1
RUN rm -rf d && mkdir d && echo 2 >d/2; echo x >${outside}; true
`,
    )
    writeFileSync(join(context, 'gone'), '')
    const stream = await docker.buildImage({ context, src: ['Dockerfile', 'gone'] }, { t: 'built' })
    const steps = await new Promise<{ error?: string }[]>((resolve, reject) =>
      docker.modem.followProgress(stream, (error: Error | null, all) => (error ? reject(error) : resolve(all))),
    )
    expect(steps.filter(({ error }) => error)).toEqual([])
    expect((await run('ls /app /app/d; ls -n Dockerfile', { Image: 'built' })).out).toMatch(
      /^\/app:\nDockerfile\nd\n\n\/app\/d:\n2\n-rw-r--r-- 1 0 0 /,
    )
    expect(readFileSync(outside, 'utf8')).toBe('untouched')
  })

  test('limits that nobody can enforce are discarded, with a warning', async () => {
    const container = await docker.createContainer({ Image: 'busybox', Cmd: ['true'], HostConfig: { Memory: 1 << 26 } })
    await container.start()
    expect(await container.wait()).toEqual({ StatusCode: 0 })
    await container.remove()
    const info = (await docker.info()) as { Warnings: string[] }
    expect(info.Warnings.some((warning) => /cgroup/.test(warning))).toBe(true)
  })

  test('a killed runtime leaves containers running, and the next one enters their namespace', async () => {
    const container = await start({ Cmd: serve })
    const before = await container.inspect()
    await runtime.end('SIGKILL')
    process.kill(before.State.Pid, 0) // throws if it had died
    await runtime.start()
    expect((await container.inspect()).State).toEqual(before.State)
    expect(await execIn(container, ['echo', 'in'])).toEqual({ code: 0, out: 'in\n' })
    await container.stop()
    expect((await container.inspect()).State.ExitCode).toBe(143)
    await container.remove()
  })

  test('nothing is left behind', async () => {
    const container = await start({ Cmd: serve })
    expect(runtime.leftovers()).not.toEqual([])
    await container.remove({ force: true })
    await eventually(() => runtime.leftovers().length === 0)
    expect(readdirSync(join(runtime.root, 'containers'))).toEqual([])
  })
})

describe.skipIf(refusal !== '' || cgroups === undefined)(
  `with a cgroup of version 2 that was delegated${cgroups ? '' : ' (skipped: needs root, and such cgroups)'}`,
  () => {
    const cgroup = join(cgroups ?? '', `dinghy-test-${process.pid}`)
    let runtime: RuntimeProcess

    beforeAll(async () => {
      runtime = new RuntimeProcess('--driver', 'linux').rootless(user, cgroup)
      mkdirSync(cgroup)
      for (const path of ['', 'cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads']) {
        if (user) chownSync(join(cgroup, path), user.uid, user.gid)
      }
      await runtime.start()
      const stream = await runtime.docker.pull('busybox')
      await new Promise((resolve) => runtime.docker.modem.followProgress(stream, resolve))
    })
    afterAll(async () => {
      await runtime.destroy()
      const below = readdirSync(cgroup, { withFileTypes: true }).filter((entry) => entry.isDirectory())
      for (const { name } of below) rmdirSync(join(cgroup, name))
      rmdirSync(cgroup)
    })

    test('containers live in it, and are frozen and killed as a whole', async () => {
      const container = await runtime.docker.createContainer({ Image: 'busybox', Cmd: ['sleep', '1000'] })
      await container.start()
      const { Pid } = (await container.inspect()).State
      const [, path = ''] = /^0::(.*)$/m.exec(readFileSync(`/proc/${Pid}/cgroup`, 'utf8')) ?? []
      expect(path).toMatch(new RegExp(`/dinghy-test-${process.pid}/dinghy-.*/${container.id}/program$`))
      const events = () => readFileSync(join(cgroups ?? '', path, 'cgroup.events'), 'utf8')
      await container.pause()
      await eventually(() => events().includes('frozen 1'))
      await container.unpause()
      await eventually(() => events().includes('frozen 0'))
      await container.remove({ force: true })
      expect(existsSync(join(cgroups ?? '', path))).toBe(false)
    })
  },
)

/** Logs without the frames' heads: one byte of stream, three of nothing, four of length. */
function plain(framed: Buffer): string {
  if (framed.length < 8) return ''
  const end = 8 + framed.readUInt32BE(4)
  return framed.subarray(8, end).toString() + plain(framed.subarray(end))
}

describe.skipIf(refusal !== '')(`an ordinary user's cluster${refusal && ` (skipped: ${refusal})`}`, () => {
  let cluster: Cluster
  beforeAll(() => {
    cluster = new Cluster(1, user)
  })
  afterAll(() => cluster.destroy())

  test('comes up with isolated containers; a pod becomes Ready, and exec and logs reach it', async () => {
    cluster.up()
    expect(await cluster.engine.info()).toMatchObject({ SecurityOptions: ['name=rootless'] })
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'ordinary' },
      spec: {
        terminationGracePeriodSeconds: 1,
        volumes: [{ name: 'work', emptyDir: {} }],
        containers: [
          {
            name: 'main',
            image: 'busybox',
            command: ['sh', '-c', 'trap exit TERM; mkdir /work/d; echo ahoy; sleep 100000 & wait'],
            volumeMounts: [{ name: 'work', mountPath: '/work' }],
            resources: { requests: { cpu: '50m' }, limits: { memory: '64Mi' } },
            readinessProbe: { exec: { command: ['test', '-d', '/work/d'] }, periodSeconds: 1 },
          },
        ],
      },
    }
    expect(cluster.kubectl(['apply', '-f', '-'], JSON.stringify(pod))).toMatchObject({ code: 0 })
    await until('the pod to be Ready', async () => {
      const { status } = await cluster.core.readNamespacedPod({ name: 'ordinary', namespace: 'default' })
      return status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True')
    })
    expect(cluster.kubectl(['logs', 'ordinary']).stdout).toBe('ahoy\n')
    expect(cluster.kubectl(['exec', 'ordinary', '--', 'hostname']).stdout).toBe('ordinary\n')
    expect(cluster.kubectl(['delete', 'pod', 'ordinary'])).toMatchObject({ code: 0 })
    const down = cluster.dinghy('down', '--wipe')
    expect(down.code).toBe(0)
    expect(down.stderr).not.toContain('killed')
  })
})
