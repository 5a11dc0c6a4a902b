/**
 * What a runtime must survive: being killed in the middle of its work, clients that send nonsense, a hundred clients
 * that want the same, a second runtime on the same files.
 */

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isInstalled, root as workspace } from './harness/cluster.ts'
import { eventually, RuntimeProcess } from './harness/runtime.ts'

const runtime = new RuntimeProcess()
const { docker } = runtime

beforeAll(async () => {
  await runtime.start()
  const stream = await docker.pull('busybox:latest')
  await new Promise<void>((resolve, reject) =>
    docker.modem.followProgress(stream, (error) => (error ? reject(error) : resolve())),
  )
})
afterAll(async () => {
  await runtime.destroy()
  expect(processesOf(runtime.root)).toEqual([])
})

test('of a hundred containers with one name, one is made', async () => {
  const makers = Array.from({ length: 100 }, () =>
    docker.createContainer({ Image: 'busybox', Cmd: ['true'], name: 'one' }),
  )
  const results = await Promise.allSettled(makers)
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  const refusals = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as Error] : []))
  expect(new Set(refusals.map((error) => (error as Error & { statusCode: number }).statusCode))).toEqual(new Set([409]))
  expect(await docker.listContainers({ all: true })).toHaveLength(1)
  await docker.getContainer('one').remove()
})

test.each([
  ['/containers/create', '{nope', 400],
  ['/containers/create', 'null', 400],
  ['/containers/create', '{"Image":5}', 400],
  ['/containers/create', '{"Image":"busybox","HostConfig":{"Binds":[5]}}', 400],
  ['/containers/create', '{"Image":"busybox","HostConfig":{"Memory":"1g"}}', 400],
  ['/containers/create?name=..%2Fx', '{"Image":"busybox"}', 400],
  ['/networks/create', '{"Name":5}', 400],
  ['/networks/bridge/connect', '{}', 400],
  ['/volumes/create', '{"Name":"../x"}', 400],
  ['/build', 'no archive', 400],
  ['/containers/prune?filters=5', '', 400],
  ['/containers/nosuch/exec', '{}', 404],
])('POST %s %s is the client’s mistake', async (path, body, status) => {
  const answer = await post(path, body)
  expect(answer).toMatchObject({ status })
  expect((JSON.parse(answer.body) as { message: string }).message).not.toBe('')
})

test('a second runtime keeps off', () => {
  const main = join(workspace, 'packages/runtime/dist/bundle/main.js')
  const args = ['--root', runtime.root, '--socket', join(runtime.dir, 'second.sock')]
  const { status, stdout } = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', timeout: 20_000 })
  expect(status).toBe(1)
  expect(stdout).toContain('belongs to another runtime')
})

test.runIf(isInstalled('docker') && process.platform === 'linux')(
  'killed in the middle of a build, it leaves nothing and builds again',
  async () => {
    writeFileSync(join(runtime.dir, 'Dockerfile'), 'FROM busybox\nRUN echo running; sleep 1000\n')
    const env = { ...process.env, DOCKER_HOST: `unix://${runtime.socket}`, DOCKER_BUILDKIT: '0' }
    const build = spawn('docker', ['build', '-f', join(runtime.dir, 'Dockerfile'), workspace + '/docs'], { env })
    let output = ''
    build.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    await eventually(() => output.includes('\nrunning\n'))
    const ended = once(build, 'exit')
    await runtime.end('SIGKILL')
    await ended
    expect(processesOf(join(runtime.root, 'build'))).not.toEqual([])
    await runtime.start()
    await eventually(() => processesOf(join(runtime.root, 'build')).length === 0)
    expect(readdirSync(join(runtime.root, 'build'))).toEqual([])
    expect(runtime.leftovers()).toEqual([])
    writeFileSync(join(runtime.dir, 'Dockerfile'), 'FROM busybox\nRUN echo again\n')
    expect(runtime.cli(['build', '-q', '-f', join(runtime.dir, 'Dockerfile'), workspace + '/docs'])).toMatchObject({
      code: 0,
    })
  },
)

const isLinuxRoot = process.platform === 'linux' && process.getuid?.() === 0

test.runIf(isLinuxRoot)('a full disk: requests fail, containers and the runtime go on', async () => {
  const small = new RuntimeProcess()
  mkdirSync(small.root)
  expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', small.root]).status).toBe(0)
  try {
    await small.start()
    const pulling = await small.docker.pull('busybox:latest')
    pulling.resume()
    await eventually(async () => (await small.docker.listImages()).length === 1)
    const fill = 'dd if=/dev/zero of=/file bs=1M count=20 2>/dev/null; echo full; exit 5'
    const container = await small.docker.createContainer({ Image: 'busybox', Cmd: ['sh', '-c', fill] })
    await container.start()
    expect(await container.wait()).toEqual({ StatusCode: 5 })
    await expect(small.docker.createContainer({ Image: 'busybox', Cmd: ['true'] })).rejects.toThrow('no space left')
    await container.remove()
    const next = await small.docker.createContainer({ Image: 'busybox', Cmd: ['echo', 'again'] })
    await next.start()
    expect(await next.wait()).toEqual({ StatusCode: 0 })
    expect((await next.logs({ stdout: true })).subarray(8).toString()).toBe('again\n')
    for (const { Id } of await small.docker.listContainers({ all: true })) await small.docker.getContainer(Id).remove()
    await small.end('SIGTERM')
  } finally {
    await small.end('SIGKILL')
    spawnSync('umount', [small.root])
    rmSync(small.dir, { recursive: true, force: true })
  }
})

/** Command lines that name something below `directory`, ours excepted. */
function processesOf(directory: string): string[] {
  if (process.platform !== 'linux') return []
  const lines = readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return []
    try {
      return [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')]
    } catch (error) {
      if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return []
      throw error
    }
  })
  return lines.filter((line) => line.includes(`${directory}/`))
}

async function post(path: string, body: string): Promise<{ status: number; body: string }> {
  const headers = { 'Content-Type': path === '/build' ? 'application/x-tar' : 'application/json' }
  const sent = request({ socketPath: runtime.socket, method: 'POST', path, headers })
  sent.end(body)
  const [response] = await once(sent, 'response')
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return { status: response.statusCode, body: text }
}
