/**
 * The oci driver with each OCI runtime that is installed: what it does in its own way, and what it alone can do. What
 * all drivers have in common is in runtime.test.ts.
 */

import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type Docker from 'dockerode'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isInstalled } from './harness/cluster.ts'
import { eventually, RuntimeProcess } from './harness/runtime.ts'

const isRoot = process.platform === 'linux' && process.getuid?.() === 0
const serve = ['sh', '-c', "trap 'exit 9' TERM; i=0; while :; do i=$((i+1)); echo line $i; sleep 0.01; done"]

describe.each(['crun', 'runc'])('the oci driver with %s', (ociRuntime) => {
  describe.skipIf(!isRoot || !isInstalled(ociRuntime))(`(needs root and ${ociRuntime})`, () => {
    let runtime: RuntimeProcess
    let docker: Docker

    beforeAll(async () => {
      runtime = new RuntimeProcess('--driver', 'oci', '--oci-runtime', ociRuntime)
      docker = runtime.docker
      await runtime.start()
      for (const name of ['busybox', 'node']) {
        const stream = await docker.pull(name)
        await new Promise((done) => docker.modem.followProgress(stream, done))
      }
    })
    afterAll(() => runtime.destroy())

    const run = async (Cmd: string[], HostConfig: object = {}, options: object = {}) => {
      const container = await docker.createContainer({ Image: 'node', Cmd, HostConfig, ...options })
      try {
        await container.start()
        const { StatusCode } = (await container.wait()) as { StatusCode: number }
        const [stdout, stderr] = await Promise.all([
          container.logs({ stdout: true }).then(textOf),
          container.logs({ stderr: true }).then(textOf),
        ])
        return { code: StatusCode, stdout, stderr, oom: (await container.inspect()).State.OOMKilled }
      } finally {
        await container.remove({ v: true })
      }
    }
    const start = async (Cmd: string[], options: object = {}) => {
      const container = await docker.createContainer({ Image: 'busybox', Cmd, ...options })
      await container.start()
      return container
    }
    const exec = async (container: Docker.Container, Cmd: string[], Tty = false) => {
      const made = await container.exec({ Cmd, Tty, AttachStdout: true, AttachStderr: true })
      const stream = await made.start({ Tty })
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      await once(stream, 'end')
      const bytes = Buffer.concat(chunks)
      return { text: Tty ? bytes.toString() : textOf(bytes), code: (await made.inspect()).ExitCode }
    }

    test('info says which program it is and why', async () => {
      const info = (await docker.info()) as { DriverStatus: [string, string][]; SecurityOptions: string[] }
      const status = Object.fromEntries(info.DriverStatus)
      expect(status).toMatchObject({
        'Container driver': 'oci',
        'Chosen because': expect.stringMatching(
          new RegExp(`^asked for; it runs containers with ${ociRuntime} \\S+ \\(/\\S+/${ociRuntime}\\)$`),
        ) as string,
      })
      expect(info.SecurityOptions).toEqual(['name=seccomp,profile=builtin'])
    })

    test.each([
      ['nope', 127, 'exec: "nope": executable file not found in $PATH'],
      ['/etc', 126, 'exec: "/etc": is a directory: permission denied'],
    ])('what cannot be started: %s', async (program, code, message) => {
      await expect(run([program], {}, { Image: 'busybox' })).rejects.toThrow(message)
      const container = await start(serve)
      expect(await exec(container, [program])).toMatchObject({ text: expect.stringContaining(message) as string, code })
      await container.remove({ force: true })
    })

    test("an error of the program's own becomes the error of the start", async () => {
      // Nobody here looks at what a profile does.
      const profile = JSON.stringify({ defaultAction: 'SCMP_ACT_NOTHING' })
      await expect(run(['true'], { SecurityOpt: [`seccomp=${profile}`] })).rejects.toThrow(
        /OCI runtime create failed: unable to start container process: .*SCMP_ACT_NOTHING/,
      )
    })

    test('user, capabilities, limits, a root that is read-only', async () => {
      expect(await run(['id', '-u'], {}, { User: 'node' })).toMatchObject({ stdout: '1000\n' })
      expect(await run(['grep', 'CapEff', '/proc/self/status'], { CapDrop: ['ALL'], CapAdd: ['CHOWN'] })).toMatchObject(
        {
          stdout: 'CapEff:\t0000000000000001\n',
        },
      )
      const touch = 'touch /x || touch /usr/x || touch /dev/shm/x && echo only there'
      expect(await run(['sh', '-c', touch], { ReadonlyRootfs: true })).toMatchObject({ stdout: 'only there\n' })
      const Ulimits = [{ Name: 'nofile', Soft: 100, Hard: 200 }]
      expect(await run(['sh', '-c', 'ulimit -Sn; ulimit -Hn'], { Ulimits })).toMatchObject({ stdout: '100\n200\n' })
    })

    test('too much memory', async () => {
      const eat = ['node', '-e', 'const a = []; for (;;) a.push(Buffer.alloc(1e6, 1))']
      const limits = { Memory: 48 * 2 ** 20, MemorySwap: 48 * 2 ** 20 }
      expect(await run(eat, limits)).toMatchObject({ code: 137, oom: true })
      expect(await run(['true'], limits)).toMatchObject({ code: 0, oom: false })
    })

    test('system calls are filtered: by default, not at all, by a profile', async () => {
      const unshare = ['unshare', '--user', 'true']
      expect(await run(unshare)).toMatchObject({ code: 1, stderr: expect.stringContaining('not permitted') as string })
      expect(await run(unshare, { SecurityOpt: ['seccomp=unconfined'] })).toMatchObject({ code: 0 })
      const profile = JSON.stringify({
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [
          { names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 28 },
          { names: ['rmdir'], action: 'SCMP_ACT_ERRNO', excludes: { caps: ['CAP_CHOWN'] } },
        ],
      })
      const container = await start(serve, { HostConfig: { SecurityOpt: [`seccomp=${profile}`] } })
      expect((await exec(container, ['mkdir', '/tmp/x'])).text).toContain('No space left on device')
      await container.remove({ force: true })
      await expect(run(['true'], { SecurityOpt: ['seccomp=nonsense'] })).rejects.toThrow(
        'Decoding seccomp profile failed',
      )
    })

    test('a terminal has a name and a size inside', async () => {
      const container = await start(serve, { Tty: true })
      await container.resize({ h: 31, w: 97 })
      await eventually(async () => {
        const { text } = await exec(container, ['stty', '-F', '/dev/console', 'size'])
        return text === '31 97\n'
      })
      expect(await exec(container, ['sh', '-c', 'tty; exit 5'], true)).toEqual({
        // crun's own stderr is this terminal, too, and on a busy machine it logs an empty line.
        text: expect.stringMatching(/\/dev\/pts\/\d+\r?\n/) as string,
        code: 5,
      })
      await container.remove({ force: true })
    })

    test('namespaces can be shared', async () => {
      const first = await start(serve, { HostConfig: { NetworkMode: 'none' } })
      const shared = { PidMode: `container:${first.id}`, NetworkMode: `container:${first.id}` }
      const { stdout } = await run(['sh', '-c', 'cat /proc/1/cmdline; ls /sys/class/net'], shared)
      expect(stdout).toContain('trap')
      expect(stdout).toMatch(/\0lo\n$/)
      expect((await first.inspect()).State.Running).toBe(true)
      await first.remove({ force: true })
    })

    test('a privileged container has the devices, in a /dev of its own', async () => {
      const command = 'touch /dev/own && ls -d /dev/null /dev/own; test $(ls /dev | wc -l) -gt 20; echo $?'
      expect(await run(['sh', '-c', command], { Privileged: true })).toMatchObject({
        stdout: '/dev/null\n/dev/own\n0\n',
      })
    })

    test('pause, update, top, changes', async () => {
      const container = await start(['sh', '-c', "trap 'exit 9' TERM; echo x > made; while :; do sleep 0.01; done"])
      await container.pause()
      expect((await container.inspect()).State).toMatchObject({ Paused: true, Status: 'paused' })
      await container.unpause()
      await container.update({ Memory: 64 * 2 ** 20, MemorySwap: 128 * 2 ** 20 })
      expect((await container.stats({ stream: false, 'one-shot': true })).memory_stats.limit).toBe(64 * 2 ** 20)
      expect((await container.top()).Processes.flat().join(' ')).toContain('trap')
      await container.stop()
      expect((await container.inspect()).State.ExitCode).toBe(9)
      expect(await container.changes()).toEqual([{ Path: '/made', Kind: 1 }])
      await container.remove()
    })

    test('a killed runtime leaves containers running, and the next one goes on', async () => {
      const container = await start(serve)
      const before = await container.inspect()
      await runtime.end('SIGKILL')
      process.kill(before.State.Pid, 0) // throws if it had died
      await runtime.start()
      expect((await container.inspect()).State).toEqual(before.State)
      const size = async () => (await container.logs({ stdout: true })).length
      const found = await size()
      await eventually(async () => (await size()) > found)
      expect(await exec(container, ['sh', '-c', 'echo in; exit 3'])).toEqual({ text: 'in\n', code: 3 })
      await container.stop()
      expect((await container.inspect()).State.ExitCode).toBe(9)
      // A second start finds nothing of the first.
      await container.start()
      await container.remove({ force: true })
    })

    test('a program whose OCI runtime was killed is ended, and can be started again', async () => {
      const container = await start(serve)
      const { Pid } = (await container.inspect()).State
      process.kill(parentOf(Pid), 'SIGKILL')
      expect(await container.wait()).toEqual({ StatusCode: 137 })
      await eventually(() => !readdirSync('/proc').includes(String(Pid)))
      await container.start()
      expect((await container.inspect()).State.Running).toBe(true)
      await container.remove({ force: true })
    })

    test('nothing is left behind', async () => {
      const container = await start(serve, { HostConfig: { AutoRemove: true } })
      expect(runtime.leftovers()).not.toEqual([])
      await container.kill()
      await eventually(async () => (await docker.listContainers({ all: true })).length === 0)
      await eventually(() => runtime.leftovers().length === 0)
      expect(readdirSync(join(runtime.root, 'oci/state'))).toEqual([])
    })
  })
})

test.skipIf(!isRoot)('without an OCI runtime the oci driver says what it needs', () => {
  const dir = mkdtempSync(join(tmpdir(), 'runtime-'))
  const main = resolve(import.meta.dirname, '../../packages/runtime/dist/bundle/main.js')
  const flags = [
    '--socket',
    join(dir, 's'),
    '--root',
    join(dir, 'root'),
    '--driver',
    'oci',
    '--oci-runtime',
    'not-there',
  ]
  const { status, stderr, stdout } = spawnSync(process.execPath, [main, ...flags], {
    encoding: 'utf8',
    timeout: 20_000,
  })
  rmSync(dir, { recursive: true })
  expect(status).not.toBe(0)
  expect(stdout + stderr).toContain('the oci driver needs an OCI runtime, and not-there is not installed')
})

/** The bytes of a log or an exec, without the frames around each piece. */
function textOf(framed: Buffer): string {
  let text = ''
  for (let at = 0; at + 8 <= framed.length;) {
    const length = framed.readUInt32BE(at + 4)
    text += framed.toString('utf8', at + 8, at + 8 + length)
    at += 8 + length
  }
  return text
}

function parentOf(pid: number): number {
  const { stdout } = spawnSync('ps', ['-o', 'ppid=', '-p', String(pid)], { encoding: 'utf8' })
  return Number(stdout)
}
