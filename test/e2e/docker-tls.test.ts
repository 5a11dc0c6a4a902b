/**
 * The runtime on a TCP port: TLS, and only for clients whose certificate its authority has signed. The certificates are
 * made here with openssl, as Docker's own guide does.
 */

import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import Docker from 'dockerode'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isInstalled, type Output, root } from './harness/cluster.ts'
import { RuntimeProcess } from './harness/runtime.ts'

const hasOpenssl = spawnSync('openssl', ['version']).error === undefined

describe.runIf(hasOpenssl)('the API on TCP', () => {
  const dir = mkdtempSync(join(tmpdir(), 'tls-'))
  let port: number
  let runtime: RuntimeProcess

  beforeAll(async () => {
    const ours = authority(join(dir, 'ours'))
    certificate(ours, 'server', 'IP:127.0.0.1,DNS:localhost')
    certificate(ours, 'cert')
    certificate(authority(join(dir, 'theirs')), 'cert')
    port = await freePort()
    runtime = new RuntimeProcess('--host', `tcp://127.0.0.1:${port}`, ...tlsFlags())
    await runtime.start()
  })
  afterAll(async () => {
    await runtime.destroy()
    rmSync(dir, { recursive: true, force: true })
  })

  const tlsFlags = (): string[] => [
    '--tlsverify',
    '--tlscacert',
    join(dir, 'ours/ca.pem'),
    '--tlscert',
    join(dir, 'ours/server.pem'),
    '--tlskey',
    join(dir, 'ours/server-key.pem'),
  ]

  /** The real CLI, with the certificate that lies in `certificates`. */
  function cli(certificates: string, args: string[], input = ''): Output {
    const env = {
      ...process.env,
      DOCKER_HOST: `tcp://127.0.0.1:${port}`,
      DOCKER_TLS_VERIFY: '1',
      DOCKER_CERT_PATH: certificates,
    }
    const { status, stdout, stderr } = spawnSync('docker', args, { env, input, encoding: 'utf8', timeout: 60_000 })
    return { code: status ?? -1, stdout, stderr }
  }

  const files = (of: string) => ({
    ca: readFileSync(join(dir, 'ours/ca.pem')),
    cert: readFileSync(join(dir, of, 'cert.pem')),
    key: readFileSync(join(dir, of, 'cert-key.pem')),
  })

  test('dockerode with a certificate, and the socket besides', async () => {
    const docker = new Docker({ protocol: 'https', host: '127.0.0.1', port, ...files('ours') })
    expect((await docker.version()).ApiVersion).toBe('1.50')
    expect((await runtime.docker.version()).ApiVersion).toBe('1.50')
  })

  test('no certificate, or one of another authority, is refused before a request is read', async () => {
    const { ca, cert, key } = files('theirs')
    for (const credentials of [{}, { cert, key }]) {
      const asked = request({ host: '127.0.0.1', port, path: '/_ping', ca, ...credentials })
      asked.end()
      const [error] = (await once(asked, 'error')) as [NodeJS.ErrnoException]
      expect(error.message).toMatch(/certificate required|unknown ca|ECONNRESET|socket hang up/i)
    }
    await expect(fetch(`http://127.0.0.1:${port}/_ping`)).rejects.toThrow()
  })

  test.runIf(isInstalled('docker'))('the docker CLI: streams both ways, exec, exit codes', () => {
    const ours = join(dir, 'ours')
    expect(cli(ours, ['pull', '-q', 'busybox'])).toMatchObject({ code: 0 })
    const cat = cli(ours, ['run', '--rm', '-i', 'busybox', 'sh', '-c', 'cat; echo bye >&2; exit 3'], 'over TLS')
    expect(cat).toEqual({ code: 3, stdout: 'over TLS', stderr: 'bye\n' })
    writeFileSync(join(dir, 'Dockerfile'), 'FROM busybox\nCOPY Dockerfile /\n')
    expect(cli(ours, ['build', '-q', dir]).stdout).toMatch(/^sha256:/)
    const none = join(dir, 'none')
    mkdirSync(none)
    copyFileSync(join(ours, 'ca.pem'), join(none, 'ca.pem'))
    expect(cli(none, ['ps']).code).toBe(1)
    copyFileSync(join(dir, 'theirs/cert.pem'), join(none, 'cert.pem'))
    copyFileSync(join(dir, 'theirs/cert-key.pem'), join(none, 'key.pem'))
    const refused = cli(none, ['ps'])
    expect(refused).toMatchObject({ code: 1, stdout: '' })
  })
})

test('TCP without --tlsverify does not start, and says why', () => {
  const main = join(root, 'packages/runtime/dist/bundle/main.js')
  const args = ['--root', join(tmpdir(), 'never-made'), '--host', 'tcp://127.0.0.1:2375']
  const { status, stdout } = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', timeout: 20_000 })
  expect(status).toBe(1)
  expect(stdout).toContain('will not listen on tcp://127.0.0.1:2375 without --tlsverify')
})

function openssl(...args: string[]): void {
  const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`openssl ${args.join(' ')}: ${stderr}`)
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

/** A directory with ca.pem and its key. */
function authority(dir: string): string {
  mkdirSync(dir)
  const files = ['-keyout', join(dir, 'ca-key.pem'), '-out', join(dir, 'ca.pem')]
  openssl('req', '-x509', ...newKey, '-days', '2', '-subj', '/CN=test authority', ...files)
  return dir
}

/**
 * NAME.pem and NAME-key.pem (key.pem for the client's, as the docker CLI calls it), signed by the authority in `dir`.
 */
function certificate(dir: string, name: string, alternativeNames?: string): void {
  const path = (file: string) => join(dir, file)
  openssl('req', ...newKey, '-subj', `/CN=${name}`, '-keyout', path(`${name}-key.pem`), '-out', path(`${name}.csr`))
  const usage = alternativeNames === undefined ? 'clientAuth' : 'serverAuth'
  const names = alternativeNames === undefined ? '' : `subjectAltName=${alternativeNames}\n`
  writeFileSync(path(`${name}.ext`), `extendedKeyUsage=${usage}\n${names}`)
  openssl(
    'x509',
    '-req',
    '-in',
    path(`${name}.csr`),
    '-CA',
    path('ca.pem'),
    '-CAkey',
    path('ca-key.pem'),
    '-CAcreateserial',
    '-days',
    '2',
    '-extfile',
    path(`${name}.ext`),
    '-out',
    path(`${name}.pem`),
  )
  if (name === 'cert') copyFileSync(path('cert-key.pem'), path('key.pem'))
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}
