/**
 * The runtime's numbers: one container from create to exit, exec, build, many at once, log throughput. Beside them the
 * cost of the bare kernel operations, and of other runtimes where they are installed.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../bootstrap.mjs'
import { isInstalled, median, run, time, times, until } from './measure.mjs'

const isRoot = process.getuid?.() === 0

export async function* measure() {
  const directory = await mkdtemp(join(tmpdir(), 'dinghy-bench-'))
  const engine = await startRuntime(directory)
  let start = 0
  try {
    const { driver } = await engine.info()
    const of = `(${driver} driver)`
    await engine.call('POST', '/images/create?fromImage=busybox')
    await engine.runOnce(['true'])

    // First of all: the kernel goes on for a while with what ended containers leave, their namespaces, cgroups and
    // devices.
    const id = await engine.start(['sleep', 'infinity'])
    const { State } = JSON.parse(await engine.call('GET', `/containers/${id}/json`))
    const entering = () => run('nsenter', ['--target', String(State.Pid), '--all', 'true'])
    const canEnter = isRoot && driver !== 'process' && isInstalled('nsenter')
    yield {
      name: `exec of "true" ${of}`,
      value: median(await times(40, () => engine.exec(id, ['true']))),
      unit: 'ms',
      limit: 15,
      comparison: [canEnter && `bare nsenter here ${median(await times(20, entering)).toFixed(1)} ms`, 'docker 69 ms']
        .filter(Boolean)
        .join(', '),
    }
    await engine.remove(id)

    const bare = isRoot && isInstalled('unshare') ? median(await times(20, bareUnshare)) : undefined
    // Without a network, as the numbers of the others are.
    yield {
      name: `container create + start + exit of "true", no network ${of}`,
      value: median(await engine.startsAndExits(40, ['true'], 'none')),
      unit: 'ms',
      limit: 25,
      comparison: [
        `run --rm, removal included, ${median(await times(40, () => engine.runOnce(['true'], 'none'))).toFixed(1)} ms`,
        bare && `bare unshare + chroot here ${bare.toFixed(1)} ms`,
        ...(await otherRuntimes()),
      ]
        .filter(Boolean)
        .join(', '),
    }
    start = median(await times(40, () => engine.runOnce(['true'])))
    yield {
      name: `run --rm of "true" on the default network ${of}`,
      value: start,
      unit: 'ms',
      comparison: 'docker 307 ms elsewhere',
    }

    const build = (query = '') => engine.build(fiveSteps, query)
    await build()
    yield {
      name: `build of 5 steps, no cache ${of}`,
      value: median(await times(5, () => build('&nocache=1'))),
      unit: 'ms',
      limit: 120,
      comparison: 'docker 581 ms',
    }
    yield {
      name: `build of 5 steps, all cached ${of}`,
      value: median(await times(10, () => build())),
      unit: 'ms',
      limit: 25,
      comparison: 'docker 64 ms',
    }

    const codes = []
    const hundred = await time(async () => {
      codes.push(...(await Promise.all(Array.from({ length: 100 }, () => engine.runOnce(['true'])))))
    })
    yield {
      name: `100 containers side by side: failures ${of}`,
      value: codes.filter((code) => code !== 0).length,
      unit: '',
      limit: 0,
      comparison: `all ended after ${(hundred / 1000).toFixed(2)} s`,
    }

    const megabytes = 200
    const line = 'x'.repeat(99)
    const lines = megabytes * 10_000
    let received = 0
    const taken = await time(async () => {
      const noisy = await engine.start(['sh', '-c', `yes ${line} | head -n ${lines}`])
      await engine.logs(noisy, (bytes) => (received += bytes))
      await engine.remove(noisy)
    })
    yield {
      name: `seconds for ${megabytes} MB of logs, written and followed ${of}`,
      value: taken / 1000,
      unit: 's',
      limit: megabytes / 100,
      comparison: `${Math.round(received / 1e6 / (taken / 1000))} MB/s, ${lines - received / 100} lines lost`,
    }
  } finally {
    await engine.stop()
    await rm(directory, { recursive: true, force: true })
  }
  if (!isRoot) return
  for (const ociRuntime of ['crun', 'runc'].filter(isInstalled)) yield* measureOci(ociRuntime, start)
}

/**
 * The same start through the oci driver: what the OCI runtime adds. No limit, because most of it is not our own work.
 */
async function* measureOci(ociRuntime, startWithout) {
  const directory = await mkdtemp(join(tmpdir(), 'dinghy-bench-'))
  const engine = await startRuntime(directory, '--driver', 'oci', '--oci-runtime', ociRuntime)
  try {
    await engine.call('POST', '/images/create?fromImage=busybox')
    await engine.runOnce(['true'])
    const start = median(await times(20, () => engine.runOnce(['true'])))
    yield {
      name: `run --rm of "true" on the default network (oci driver, ${ociRuntime})`,
      value: start,
      unit: 'ms',
      comparison: `${(start / startWithout).toFixed(1)} times as long as without`,
    }
  } finally {
    await engine.stop()
    await rm(directory, { recursive: true, force: true })
  }
}

const fiveSteps = `FROM busybox
WORKDIR /app
RUN echo one > one
RUN echo two > two
ENV A=b
CMD ["cat", "one", "two"]
`

async function startRuntime(directory, ...flags) {
  const socketPath = join(directory, 'docker.sock')
  const runFile = join(directory, 'run.json')
  const args = [
    '--socket',
    socketPath,
    '--root',
    join(directory, 'runtime'),
    '--run-file',
    runFile,
    '--exit-with-parent',
    ...flags,
  ]
  const child = spawn(process.execPath, [join(root, 'packages/runtime/dist/bundle/main.js'), ...args], {
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  await until(() => existsSync(runFile) && existsSync(socketPath), 'the runtime')

  const open = (method, path, body) =>
    new Promise((resolve, reject) => {
      const sent = request(
        {
          socketPath,
          method,
          path: `/v1.50${path}`,
          headers: body && { 'content-type': Buffer.isBuffer(body) ? 'application/x-tar' : 'application/json' },
        },
        resolve,
      )
      sent.on('error', reject)
      sent.end(body && !Buffer.isBuffer(body) ? JSON.stringify(body) : body)
    })
  const call = async (method, path, body) => {
    const response = await open(method, path, body)
    const text = (await response.toArray()).join('')
    if (response.statusCode >= 400) throw new Error(`${method} ${path}: ${response.statusCode} ${text}`)
    return text
  }
  const create = async (command, HostConfig = {}) =>
    JSON.parse(await call('POST', '/containers/create', { Image: 'busybox', Cmd: command, HostConfig })).Id
  const startAndWait = async (id, condition) => {
    const waited = call('POST', `/containers/${id}/wait?condition=${condition}`)
    await call('POST', `/containers/${id}/start`)
    return JSON.parse(await waited).StatusCode
  }
  const remove = (id) => call('DELETE', `/containers/${id}?force=1`)

  return {
    call,
    remove,
    async info() {
      const info = JSON.parse(await call('GET', '/info'))
      return { driver: info.DefaultRuntime ?? info.Driver }
    },
    async start(command) {
      const id = await create(command)
      await call('POST', `/containers/${id}/start`)
      return id
    },
    async runOnce(command, NetworkMode = 'default') {
      return startAndWait(await create(command, { AutoRemove: true, NetworkMode }), 'removed')
    },
    /** Milliseconds from create to the news of the exit, of each; what was made is removed in between. */
    async startsAndExits(count, command, NetworkMode) {
      const taken = []
      for (let i = 0; i < count; i++) {
        let id
        taken.push(
          await time(async () => {
            id = await create(command, { NetworkMode })
            await startAndWait(id, 'next-exit')
          }),
        )
        await remove(id)
      }
      return taken
    },
    async exec(container, command) {
      const { Id } = JSON.parse(
        await call('POST', `/containers/${container}/exec`, { Cmd: command, AttachStdout: true, AttachStderr: true }),
      )
      await call('POST', `/exec/${Id}/start`, { Detach: false, Tty: false })
    },
    async build(dockerfile, query) {
      const answer = await call('POST', `/build?t=bench&version=1${query}`, tarOf('Dockerfile', dockerfile))
      if (answer.includes('"error"')) throw new Error(answer)
    },
    async logs(id, onBytes) {
      const response = await open('GET', `/containers/${id}/logs?stdout=1&stderr=1&follow=1`)
      // Each line has a frame, so this goes over the chunks without making anything: a reader that makes two buffers a
      // line takes as long as the runtime, and its own speed is then what is measured.
      let headerBytes = 0
      let missing = 0
      for await (const chunk of response) {
        for (let at = 0; at < chunk.length;) {
          if (headerBytes < 8) {
            // The length is in the last four bytes.
            missing = headerBytes < 4 ? 0 : missing * 256 + chunk[at]
            headerBytes++
            at++
            continue
          }
          const length = Math.min(missing, chunk.length - at)
          onBytes(length)
          missing -= length
          at += length
          if (missing === 0) headerBytes = 0
        }
      }
    },
    async stop() {
      for (const { Id } of JSON.parse(await call('GET', '/containers/json?all=1'))) await remove(Id)
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
  }
}

/** A tar with one file: 512 bytes of header, the content padded to 512, two empty blocks. */
function tarOf(name, text) {
  const body = Buffer.from(text)
  const header = Buffer.alloc(512)
  header.write(name, 0)
  header.write('0000644\0', 100)
  header.write('0000000\0', 108)
  header.write('0000000\0', 116)
  header.write(`${body.length.toString(8).padStart(11, '0')}\0`, 124)
  header.write('00000000000\0', 136)
  header.write('        ', 148)
  header.write('0', 156)
  header.write('ustar\x0000', 257)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return Buffer.concat([header, body, Buffer.alloc((512 - (body.length % 512)) % 512), Buffer.alloc(1024)])
}

function bareUnshare() {
  return run('unshare', [
    '--fork',
    '--pid',
    '--mount',
    '--uts',
    '--ipc',
    '--cgroup',
    '--mount-proc',
    'chroot',
    '/',
    'true',
  ])
}

async function otherRuntimes() {
  const found = []
  for (const [name, ...args] of [
    ['podman', 'run', '--rm', '--network', 'none', 'busybox', 'true'],
    ['crun', '--version'],
    ['runc', '--version'],
  ]) {
    if (!isInstalled(name)) continue
    // One that is installed but cannot run here is simply not compared with.
    const taken = await times(5, () => run(name, args)).catch(() => undefined)
    if (taken && args[0] === 'run') found.push(`${name} here ${Math.round(median(taken))} ms`)
  }
  return [...found, 'crun 18 ms, podman 138 ms, docker 211-307 ms elsewhere']
}
