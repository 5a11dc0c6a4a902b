import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { httpRequest, readText } from './client.ts'
import { contextWithExtraAuthorities, withLateAuthorities } from './extra-authorities.ts'
import { HttpServer } from './server.ts'

const directory = mkdtempSync(join(tmpdir(), 'dinghy-authorities-'))
const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]

beforeAll(() => {
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1']
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1']
  execFileSync('openssl', [...request, ...subject, '-keyout', key, '-out', cert], { stdio: 'ignore' })
  return () => rmSync(directory, { recursive: true })
})

test('a process of ours gets the variable under a name that Node does not look at', () => {
  expect(withLateAuthorities({ PATH: '/bin', NODE_EXTRA_CA_CERTS: '/ca.pem' })).toEqual({
    PATH: '/bin',
    DINGHY_EXTRA_CA_CERTS: '/ca.pem',
  })
  expect(withLateAuthorities({ PATH: '/bin' })).toEqual({ PATH: '/bin' })
})

test('a server whose certificate is in that file is believed, one that is not in it is not', async () => {
  const server = new HttpServer()
  server.app.get('/', () => 'hello')
  const tls = { key: readFileSync(key), cert: readFileSync(cert) }
  const { url } = await server.listen({ host: '127.0.0.1', port: 0, tls })
  onTestFinished(() => server.close(0))
  await expect(httpRequest({ method: 'GET', url, keepAlive: false })).rejects.toThrow('self-signed certificate')
  vi.stubEnv('DINGHY_EXTRA_CA_CERTS', cert)
  onTestFinished(() => void vi.unstubAllEnvs())
  expect(await readText(await httpRequest({ method: 'GET', url, keepAlive: false }))).toBe('hello')
})

test('whoever names authorities, or wants none, has no use for the file', () => {
  const env = { DINGHY_EXTRA_CA_CERTS: cert }
  expect(contextWithExtraAuthorities({ ca: readFileSync(cert) }, env)).toBeUndefined()
  expect(contextWithExtraAuthorities({ rejectUnauthorized: false }, env)).toBeUndefined()
  expect(contextWithExtraAuthorities({ ciphers: 'HIGH' }, env)).toBeDefined()
  expect(contextWithExtraAuthorities({}, {})).toBeUndefined()
})

test('a file that cannot be read is warned of, and Node’s own authorities serve', () => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
  onTestFinished(() => warn.mockRestore())
  expect(contextWithExtraAuthorities({}, { DINGHY_EXTRA_CA_CERTS: join(directory, 'none.pem') })).toBeUndefined()
  expect(warn).toHaveBeenCalledWith(expect.stringContaining('Ignoring extra certs from'))
})
