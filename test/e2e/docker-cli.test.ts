/**
 * What people do with `docker`, one command after the other, through the real CLI where it is installed; and through
 * dockerode always. runtime.test.ts holds each driver to what a container is; this holds the API to its clients.
 */

import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { finished } from 'node:stream/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isInstalled, type Output } from './harness/cluster.ts'
import { eventually, RuntimeProcess } from './harness/runtime.ts'

const runtime = new RuntimeProcess()
const { docker } = runtime
/** Containers have a file system and limits of their own; without it they share this machine's. */
const isLinuxRoot = process.platform === 'linux' && process.getuid?.() === 0
/** Ends at SIGTERM, which PID 1 has no default for; says when it listens to it. */
const waiter = [
  'node',
  '-e',
  "process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1e3); console.log('up')",
]

function cli(...args: string[]): Output {
  return runtime.cli(args)
}

/** Standard output of a command that must succeed, without the last newline. */
function ok(...args: string[]): string {
  const { code, stdout, stderr } = cli(...args)
  expect(code, `docker ${args.join(' ')}: ${stderr}`).toBe(0)
  return stdout.trimEnd()
}

function fails(...args: string[]): string {
  const { code, stderr } = cli(...args)
  expect(code, `docker ${args.join(' ')}`).not.toBe(0)
  return stderr
}

function isUp(name: string) {
  return eventually(() => cli('logs', name).stdout.includes('up'))
}

beforeAll(async () => {
  await runtime.start()
  for (const name of ['busybox', 'node']) await pull(name)
})

afterAll(async () => {
  await runtime.destroy()
  expect(runtime.leftovers()).toEqual([])
})

async function pull(name: string): Promise<void> {
  const stream = await docker.pull(name)
  await new Promise<void>((resolve, reject) =>
    docker.modem.followProgress(stream, (error) => (error ? reject(error) : resolve())),
  )
}

describe.runIf(isInstalled('docker'))('docker run', () => {
  const envFile = join(runtime.dir, 'env')
  writeFileSync(envFile, 'A=1\n# no\nB=two words\n')
  const shared = join(runtime.dir, 'shared')
  mkdirSync(shared)
  writeFileSync(join(shared, 'file'), 'bound')

  test.each<[string, string[], string[], string]>([
    ['-e', ['-e', 'X=a b'], ['sh', '-c', 'echo $X'], 'a b'],
    ['--env-file', ['--env-file', envFile], ['sh', '-c', 'echo $A $B'], '1 two words'],
    ['--entrypoint', ['--entrypoint', 'echo'], ['a', 'b'], 'a b'],
    ['-a', ['-a', 'stdout'], ['sh', '-c', 'echo out; echo err >&2'], 'out'],
  ])('%s', (_option, options, command, stdout) => {
    expect(ok('run', '--rm', ...options, 'busybox', ...command)).toBe(stdout)
  })

  test.runIf(isLinuxRoot).each<[string, string[], string[], string]>([
    ['-w', ['-w', '/made/here'], ['pwd'], '/made/here'],
    ['-v', ['-v', `${shared}:/shared:ro`], ['cat', '/shared/file'], 'bound'],
    ['--mount', ['--mount', `type=bind,src=${shared},dst=/m`], ['cat', '/m/file'], 'bound'],
    ['-u', ['-u', '1000:1001'], ['sh', '-c', 'echo $(id -u):$(id -g)'], '1000:1001'],
    ['--hostname', ['--hostname', 'box'], ['hostname'], 'box'],
    ['--add-host', ['--add-host', 'there:1.2.3.4'], ['sh', '-c', 'grep there /etc/hosts'], '1.2.3.4\tthere'],
    ['--dns', ['--dns', '9.9.9.9'], ['cat', '/etc/resolv.conf'], 'nameserver 9.9.9.9'],
    ['--network none', ['--network', 'none'], ['sh', '-c', 'tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d " "'], 'lo'],
    ['--tmpfs', ['--tmpfs', '/t:size=1m'], ['sh', '-c', 'df -k /t | tail -1 | cut -d" " -f1'], 'tmpfs'],
    ['--shm-size', ['--shm-size', '2m'], ['sh', '-c', 'mount | grep -o size=2048k'], 'size=2048k'],
    ['--ulimit', ['--ulimit', 'nofile=64:64'], ['sh', '-c', 'ulimit -n'], '64'],
    ['--cap-drop', ['--cap-drop', 'ALL'], ['sh', '-c', 'id -u'], '0'],
    ['--group-add', ['--group-add', '55'], ['sh', '-c', 'id -G'], '0 55'],
    ['--oom-score-adj', ['--oom-score-adj', '500'], ['cat', '/proc/self/oom_score_adj'], '500'],
    ['-t', ['-t'], ['sh', '-c', 'test -t 1 && echo yes'], 'yes'],
    ['-t, whose name', ['-t'], ['tty'], '/dev/pts/0'],
    ['-t, whose owner', ['-t', '-u', '1000'], ['sh', '-c', 'echo mine >$(tty)'], 'mine'],
  ])('%s', (_option, options, command, stdout) => {
    expect(ok('run', '--rm', ...options, 'busybox', ...command)).toBe(stdout)
  })

  test.runIf(isLinuxRoot).each<[string, string[], RegExp]>([
    ['--memory too small', ['--memory', '1m'], /Minimum memory limit allowed is 6MB/],
    ['--cpus too many', ['--cpus', '4096'], /range of CPUs is from 0.01 to/],
    ['--cap-add unknown', ['--cap-add', 'NOSUCH'], /unknown capability: "CAP_NOSUCH"/],
    ['--runtime unknown', ['--runtime', 'nosuch'], /unknown or invalid runtime name: nosuch/],
    ['--gpus', ['--gpus', 'all'], /could not select device driver/],
    [
      '--sysctl of the machine',
      ['--network=host', '--sysctl', 'net.core.somaxconn=9'],
      /not allowed in the hosts network/,
    ],
    ['--security-opt unknown', ['--security-opt', 'foo=bar'], /invalid --security-opt/],
    ['--log-driver unknown', ['--log-driver', 'syslog'], /no log driver named 'syslog' is registered/],
    ['--network unknown', ['--network', 'nosuch'], /network nosuch not found/],
    ['--platform of another machine', ['--platform', 'linux/s390x'], /no matching manifest for linux\/s390x/],
    ['-v with rshared', ['-v', '/tmp:/t:rshared'], /bind propagation rshared is not supported/],
    ['--mount of nothing', ['--mount', 'type=bind,src=/nosuch,dst=/m'], /bind source path does not exist: \/nosuch/],
  ])('refuses %s', (_what, options, message) => {
    const { code, stderr } = cli('run', '--rm', ...options, 'busybox', 'true')
    expect(code).toBe(125)
    expect(stderr).toMatch(message)
    if (!options.includes('--platform')) expect(stderr).not.toContain('Unable to find image')
  })

  test.runIf(isLinuxRoot)('named volumes outlive their containers, and are not removed in use', () => {
    ok('run', '--name', 'writer', '-v', 'data:/data', 'busybox', 'sh', '-c', 'echo kept > /data/file')
    expect(fails('volume', 'rm', 'data')).toContain('volume is in use - [')
    ok('rm', 'writer')
    expect(ok('run', '--rm', '-v', 'data:/data', 'busybox', 'cat', '/data/file')).toBe('kept')
    expect(ok('volume', 'ls', '-q')).toBe('data')
    expect(ok('volume', 'rm', 'data')).toBe('data')
    expect(fails('volume', 'inspect', 'data')).toContain('no such volume')
  })

  test.runIf(isLinuxRoot)('-v …:rslave shows what is mounted there later', () => {
    const outside = (...args: string[]) =>
      expect(spawnSync(args[0] ?? '', args.slice(1)).status, args.join(' ')).toBe(0)
    const tree = join(runtime.dir, 'tree')
    mkdirSync(tree)
    outside('mount', '-t', 'tmpfs', 'tmpfs', tree)
    try {
      outside('mount', '--make-shared', tree)
      mkdirSync(join(tree, 'later'))
      ok('run', '-d', '--name', 'slave', '-v', `${tree}:/slave:rslave`, '-v', `${tree}:/private`, 'busybox', ...waiter)
      outside('mount', '-t', 'tmpfs', 'tmpfs', join(tree, 'later'))
      writeFileSync(join(tree, 'later/file'), 'seen')
      expect(ok('exec', 'slave', 'cat', '/slave/later/file')).toBe('seen')
      expect(ok('exec', 'slave', 'ls', '/private/later')).toBe('')
      ok('rm', '-f', 'slave')
    } finally {
      spawnSync('umount', ['-R', tree])
    }
  })

  test('ports: ranges, addresses, udp, -P', () => {
    ok('run', '-d', '--name', 'ports', '-p', '127.0.0.1::81/udp', '-P', '--expose', '90-91', 'busybox', ...waiter)
    const lines = ok('port', 'ports').split('\n')
    expect(lines.map((line) => line.replace(/\d+$/, 'N')).toSorted()).toEqual([
      '81/udp -> 127.0.0.1:N',
      '90/tcp -> 0.0.0.0:N',
      '91/tcp -> 0.0.0.0:N',
    ])
    ok('rm', '-f', 'ports')
  })
})

describe.runIf(isInstalled('docker'))('a container’s life', () => {
  beforeAll(async () => {
    ok('run', '-d', '--name', 'life', '--label', 'part=one', 'busybox', ...waiter)
    await isUp('life')
  })
  afterAll(() => cli('rm', '-f', 'life'))

  test('pause, unpause, rename, update', () => {
    ok('pause', 'life')
    expect(ok('ps', '--format', '{{.Names}} {{.State}}')).toBe('life paused')
    expect(fails('exec', 'life', 'true')).toContain('is paused, unpause the container before exec')
    ok('unpause', 'life')
    ok('rename', 'life', 'other')
    expect(fails('rename', 'other', '/')).toContain('Error')
    ok('rename', 'other', 'life')
    ok('update', '--restart', 'unless-stopped', 'life')
    expect(ok('inspect', '-f', '{{.HostConfig.RestartPolicy.Name}}', 'life')).toBe('unless-stopped')
  })

  test('ps: filters and formats', () => {
    expect(ok('ps', '-q', '--no-trunc')).toMatch(/^[0-9a-f]{64}$/)
    expect(ok('ps', '-f', 'label=part=one', '-f', 'status=running', '--format', '{{.Names}}')).toBe('life')
    expect(ok('ps', '-f', 'label=part=two', '-q')).toBe('')
    expect(ok('ps', '-f', 'ancestor=busybox', '-f', 'name=li', '--format', '{{.Image}}')).toBe('busybox')
    expect(JSON.parse(ok('ps', '--format', 'json'))).toMatchObject({ Names: 'life', State: 'running' })
    expect(fails('ps', '-f', 'nosuch=1')).toContain("invalid filter 'nosuch'")
  })

  test('top, stats', () => {
    expect(ok('top', 'life')).toMatch(/^UID +PID.*\n.*node -e/)
    expect(fails('top', 'life', '-o', 'nosuch')).toMatch(/daemon: ps: .*nosuch"?\n$/)
    const stats = JSON.parse(ok('stats', '--no-stream', '--format', 'json', 'life')) as { Name: string; PIDs: string }
    expect(stats).toMatchObject({ Name: 'life' })
  })

  test.runIf(isLinuxRoot)('diff', () => {
    ok('exec', 'life', 'touch', '/made')
    expect(ok('diff', 'life').split('\n')).toContain('A /made')
    // Looking must not change anything: what has not been written to yet can still be.
    ok('exec', 'life', 'touch', '/srv/made')
  })

  test('exec: -e, -w, -i, -d, exit codes', () => {
    expect(ok('exec', '-e', 'A=b', 'life', 'sh', '-c', 'echo $A')).toBe('b')
    if (isLinuxRoot) expect(ok('exec', '-w', '/usr', 'life', 'pwd')).toBe('/usr')
    expect(runtime.cli(['exec', '-i', 'life', 'sh', '-c', 'cat; exit 9'], 'in').stdout).toBe('in')
    expect(cli('exec', 'life', 'sh', '-c', 'exit 9').code).toBe(9)
    expect(cli('exec', 'life', 'nosuch')).toMatchObject({ code: 127 })
    expect(ok('exec', '-d', 'life', 'true')).toBe('')
  })

  test.runIf(isLinuxRoot)('exec -t: a terminal of the container, which belongs to the user', () => {
    expect(ok('exec', '-t', '-u', '1000', 'life', 'sh', '-c', 'tty && echo mine >$(tty)')).toBe('/dev/pts/0\r\nmine')
    expect(ok('exec', 'life', 'ls', '/dev/pts')).toBe('ptmx')
  })

  test('logs: -n, -t, --since', () => {
    ok('run', '--name', 'lines', 'busybox', 'sh', '-c', 'for i in 1 2 3; do echo line $i; done; echo oops >&2')
    expect(cli('logs', 'lines')).toMatchObject({ stdout: 'line 1\nline 2\nline 3\n', stderr: 'oops\n' })
    expect(cli('logs', '-n', '2', 'lines').stdout + cli('logs', '-n', '2', 'lines').stderr).toBe('line 3\noops\n')
    expect(ok('logs', '-t', '-n', '2', 'lines')).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z line 3$/)
    expect(ok('logs', '--since', '2099-01-01', 'lines')).toBe('')
    ok('rm', 'lines')
  })

  test('a part of a volume, the variables of a link, the details of a log', async () => {
    const volume = ['--mount', 'type=volume,src=parts,dst=/v,volume-label=a=b']
    ok('run', '--rm', ...volume, 'busybox', 'sh', '-c', 'mkdir /v/sub && echo part >/v/sub/f && ln -s / /v/out')
    expect(ok('volume', 'inspect', '-f', '{{.Labels.a}}', 'parts')).toBe('b')
    const part = (subpath: string) => ['--rm', '--mount', `type=volume,src=parts,dst=/v,volume-subpath=${subpath}`]
    if (isLinuxRoot) expect(ok('run', ...part('sub'), 'busybox', 'cat', '/v/f')).toBe('part')
    expect(fails('run', ...part('out'), 'busybox', 'true')).toContain('escapes the base directory')
    expect(fails('run', ...part('none'), 'busybox', 'true')).toContain('no such file or directory')
    expect(fails('run', ...part('../..'), 'busybox', 'true')).toContain('relative path within the volume')
    ok('volume', 'rm', 'parts')

    ok('run', '-d', '--name', 'linked', '--expose', '80', '-e', 'K=v', 'node', ...waiter)
    const env = ok('run', '--rm', '--link', 'linked:my-web', 'busybox', 'env').split('\n')
    expect(env).toEqual(expect.arrayContaining(['MY_WEB_ENV_K=v', 'MY_WEB_PORT_80_TCP_PROTO=tcp']))
    ok('run', '--name', 'linking', '--link', 'linked:my-web', 'busybox', 'true')
    const names = () => docker.listContainers({ all: true }).then((all) => all.flatMap(({ Names }) => Names))
    expect(await names()).toContain('/linking/my-web')
    ok('rm', '--link', 'linking/my-web')
    expect(await names()).not.toContain('/linking/my-web')
    expect(fails('rm', '--link', 'linking/my-web')).toContain('No such container: linking/my-web')
    ok('rm', '-f', 'linked', 'linking')

    ok('run', '--name', 'told', '--log-opt', 'env=K', '--log-opt', 'tag={{.Name}}', '-e', 'K=v', 'busybox', 'echo', 'x')
    expect(ok('logs', '--details', 'told')).toBe('K=v,tag=told x')
    ok('rm', 'told')
  })

  test('stop, start, restart, kill, wait', async () => {
    ok('stop', 'life')
    expect(ok('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'life')).toBe('exited 0')
    ok('start', 'life')
    await eventually(() => cli('logs', 'life').stdout === 'up\nup\n')
    ok('restart', 'life')
    ok('kill', '-s', 'KILL', 'life')
    expect(ok('wait', 'life')).toBe('137')
    expect(fails('kill', 'life')).toContain('is not running')
  })

  test('create, start -a, events', () => {
    const since = Math.floor(Date.now() / 1000)
    ok('create', '--name', 'made', 'busybox', 'sh', '-c', 'echo attached; exit 4')
    expect(cli('start', '-a', 'made')).toMatchObject({ code: 4, stdout: 'attached\n' })
    ok('rm', 'made')
    const until = String(Math.ceil(Date.now() / 1000))
    const filter = ['--filter', 'container=made', '--filter', 'type=container', '--format', '{{.Action}}']
    const events = ok('events', '--since', String(since), '--until', until, ...filter).split('\n')
    expect(events).toEqual(expect.arrayContaining(['create', 'attach', 'start', 'die', 'destroy']))
  })
})

describe.runIf(isInstalled('docker'))('images', () => {
  const context = join(runtime.dir, 'context')

  test('build, run, history, tag, rmi', () => {
    mkdirSync(join(context, 'skipped'), { recursive: true })
    writeFileSync(join(context, 'Dockerfile'), 'FROM busybox\nARG A=0\nENV A=$A\nCOPY . /app\nCMD ["ls", "/app"]\n')
    writeFileSync(join(context, '.dockerignore'), 'skipped\n')
    writeFileSync(join(context, 'file'), 'one')
    expect(ok('build', '-t', 'app:1', '--build-arg', 'A=7', context)).toContain('Successfully tagged app:1')
    expect(ok('build', '-t', 'app:1', '--build-arg', 'A=7', context)).toContain('Using cache')
    expect(ok('run', '--rm', 'app:1').split('\n')).toEqual(['Dockerfile', 'file'])
    expect(ok('history', '--format', '{{.CreatedBy}}', '--no-trunc', 'app:1')).toContain('CMD ["ls"')
    ok('tag', 'app:1', 'app:2')
    expect(ok('images', '--format', '{{.Repository}}:{{.Tag}}', 'app').split('\n').toSorted()).toEqual([
      'app:1',
      'app:2',
    ])
    expect(ok('rmi', 'app:2')).toBe('Untagged: app:2')
    expect(fails('rmi', 'nosuch')).toContain('No such image: nosuch:latest')
    expect(fails('build', join(runtime.dir, 'nosuch'))).toContain('not found')
  })

  test('a Dockerfile from outside the context', () => {
    const dockerfile = join(runtime.dir, 'Elsewhere')
    writeFileSync(dockerfile, 'FROM busybox\nCOPY file /\n')
    expect(ok('build', '-f', dockerfile, context)).toContain('Successfully built')
  })

  test.runIf(isLinuxRoot)('steps that change nothing, or the same', () => {
    const dockerfile = join(context, 'Dockerfile.same')
    writeFileSync(dockerfile, 'FROM busybox\nRUN true\nRUN :\nRUN echo x >/a\nRUN sh -c true\nRUN cat /a\n')
    expect(ok('build', '-f', dockerfile, context)).toContain('Successfully built')
  })

  test.runIf(isLinuxRoot)('--network none, of a build and of a step', () => {
    const count = 'tail -n +3 /proc/net/dev | wc -l'
    const dockerfile = join(context, 'Dockerfile.net')
    writeFileSync(dockerfile, `FROM busybox\nRUN --network=none echo step=$(${count})\nRUN echo build=$(${count})\n`)
    expect(ok('build', '--no-cache', '-f', dockerfile, context)).toContain('\nstep=1\n')
    expect(ok('build', '--no-cache', '--network', 'none', '-f', dockerfile, context)).toContain('\nbuild=1\n')
    expect(fails('build', '--network', 'nosuch', context)).toContain('network mode "nosuch" is not supported')
  })

  test.runIf(isLinuxRoot)('--add-host, limits and --cache-from of a build; a directory that COPY makes', () => {
    const dockerfile = join(context, 'Dockerfile.more')
    chmodSync(join(context, 'skipped'), 0o700)
    const limited = 'RUN echo $(ulimit -n) $(df -k --output=size /dev/shm)'
    const steps = ['RUN grep there /etc/hosts', 'RUN echo loud >&2', limited, 'COPY . /made', 'RUN stat -c %a:%u /made']
    writeFileSync(dockerfile, ['FROM busybox', ...steps].join('\n'))
    chmodSync(context, 0o700)
    const options = ['--add-host', 'there:1.2.3.4', '--shm-size', '8m', '--ulimit', 'nofile=77']
    const built = ok('build', '-t', 'more', ...options, '-f', dockerfile, context)
    expect(built).toContain('\n1.2.3.4\tthere\n')
    expect(built).toContain('\u001b[91mloud\n\u001b[0m')
    expect(built).toContain('\n755:0\n')
    expect(built).toContain('\n77 1K-blocks 8192\n')
    ok('builder', 'prune', '-af')
    const again = ok('build', '--cache-from', 'more', '--add-host', 'there:1.2.3.4', '-f', dockerfile, context)
    expect(again.match(/Using cache/g)).toHaveLength(steps.length)
    ok('rmi', 'more')
  })

  test('the content of a directory is copied out as what is in it', () => {
    ok('run', '--name', 'filled', 'busybox', 'sh', '-c', 'mkdir -p /tmp/dir/sub && echo x > /tmp/dir/sub/file')
    const out = join(runtime.dir, 'out')
    ok('cp', 'filled:/tmp/dir/.', out)
    expect(readdirSync(out)).toEqual(['sub'])
    ok('cp', 'filled:/tmp/dir/.', out)
    ok('cp', 'filled:/tmp/dir', out)
    expect(readdirSync(out).toSorted()).toEqual(['dir', 'sub'])
    expect(readFileSync(join(out, 'dir/sub/file'), 'utf8')).toBe('x\n')
    ok('rm', 'filled')
  })

  test('a load of rubbish fails, and says why', () => {
    const rubbish = join(runtime.dir, 'rubbish.tar')
    writeFileSync(rubbish, 'rubbish')
    expect(fails('load', '-i', rubbish)).not.toBe('')
  })

  test('commit, save, load', () => {
    ok('run', '--name', 'changed', 'busybox', 'sh', '-c', 'echo committed > /file')
    ok('commit', '-m', 'why', '-c', 'CMD ["cat", "/file"]', 'changed', 'committed:1')
    const tar = join(runtime.dir, 'image.tar')
    ok('save', '-o', tar, 'committed:1')
    ok('rmi', 'committed:1')
    expect(ok('load', '-i', tar)).toBe('Loaded image: committed:1')
    expect(ok('run', '--rm', 'committed:1')).toBe('committed')
    ok('rm', 'changed')
    ok('rmi', 'committed:1')
  })

  test('system: version, info, df, prune', () => {
    ok('create', '--name', 'spare', 'busybox', 'true')
    expect(ok('version', '--format', '{{.Server.APIVersion}}')).toBe('1.50')
    expect(ok('info', '--format', '{{.OSType}} {{.Containers}}')).toBe('linux 1')
    expect(ok('system', 'df', '--format', '{{.Type}}').split('\n')).toEqual([
      'Images',
      'Containers',
      'Local Volumes',
      'Build Cache',
    ])
    ok('volume', 'create', 'unused')
    ok('network', 'create', 'unused')
    expect(ok('container', 'prune', '-f')).toContain('Deleted Containers:')
    expect(ok('network', 'prune', '-f')).toBe('Deleted Networks:\nunused')
    expect(ok('volume', 'prune', '-af')).toContain('Deleted Volumes:\nunused')
    expect(ok('image', 'prune', '-af')).toContain('untagged: app:1')
  })
})

describe('dockerode', () => {
  beforeAll(() => pull('busybox'))

  test('pull, create, attach, wait, logs, inspect, remove', async () => {
    const container = await docker.createContainer({
      Image: 'busybox',
      Cmd: ['sh', '-c', 'read line; echo got $line; echo err >&2; exit 3'],
      OpenStdin: true,
      StdinOnce: true,
    })
    const stream = await container.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true })
    const output = gather(stream)
    const waiting = container.wait({ condition: 'next-exit' })
    await container.start()
    stream.write('hello\n')
    stream.end()
    expect(await output).toEqual({ stdout: 'got hello\n', stderr: 'err\n' })
    expect(await waiting).toEqual({ StatusCode: 3 })
    expect((await container.inspect()).State).toMatchObject({ Status: 'exited', ExitCode: 3 })
    await expect(container.kill()).rejects.toMatchObject({ statusCode: 409 })
    await container.remove()
    await expect(container.inspect()).rejects.toMatchObject({ statusCode: 404 })
  })

  test.runIf(isLinuxRoot)('exec, archives, stats, top', async () => {
    const container = await docker.createContainer({ Image: 'busybox', Cmd: waiter })
    await container.start()
    writeFileSync(join(runtime.dir, 'note.txt'), 'hi')
    const { stdout: archive } = spawnSync('tar', ['-cf', '-', '-C', runtime.dir, 'note.txt'])
    await container.putArchive(archive, { path: '/tmp' })
    const exec = await container.exec({
      Cmd: ['sh', '-c', 'cat /tmp/note.txt -; exit 4'],
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
    })
    const stream = await exec.start({ hijack: true, stdin: true })
    const output = gather(stream)
    stream.end(' there')
    expect(await output).toEqual({ stdout: 'hi there', stderr: '' })
    expect((await exec.inspect()).ExitCode).toBe(4)
    let bytes = 0
    for await (const chunk of await container.getArchive({ path: '/tmp/note.txt' })) bytes += chunk.length
    expect(bytes % 512).toBe(0)
    expect((await container.stats({ stream: false })).id).toBe(container.id)
    expect((await container.top()).Processes.length).toBeGreaterThan(0)
    await container.remove({ force: true })
  })

  test('networks and volumes', async () => {
    const network = await docker.createNetwork({ Name: 'net' })
    const container = await docker.createContainer({ Image: 'busybox', Cmd: waiter })
    await network.connect({ Container: container.id, EndpointConfig: { Aliases: ['here'] } })
    expect((await container.inspect()).NetworkSettings.Networks['net']?.Aliases).toContain('here')
    await network.disconnect({ Container: container.id })
    await container.remove()
    await network.remove()
    await docker.createVolume({ Name: 'vol', Labels: { a: 'b' } })
    const { Volumes } = await docker.listVolumes({ filters: { label: ['a=b'] } })
    expect(Volumes.map(({ Name }) => Name)).toEqual(['vol'])
    await docker.getVolume('vol').remove()
  })
})

async function gather(stream: NodeJS.ReadableStream): Promise<{ stdout: string; stderr: string }> {
  const text = { stdout: '', stderr: '' }
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  stdout.on('data', (chunk) => (text.stdout += String(chunk)))
  stderr.on('data', (chunk) => (text.stderr += String(chunk)))
  docker.modem.demuxStream(stream, stdout, stderr)
  await finished(stream, { writable: false })
  return text
}

test('nothing is left of the containers', async () => {
  await eventually(async () => (await docker.listContainers({ all: true })).length === 0)
  await eventually(() => runtime.leftovers().length === 0)
})
