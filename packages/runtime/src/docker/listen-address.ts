/**
 * Where the Engine API is served, in dockerd's words: `unix:///path` or `tcp://host:port`, with --tlsverify and the
 * three files that go with it. Pure but for reading those files.
 *
 * Whoever can talk to this API owns the machine. A socket file has a mode that keeps others away; a TCP port has
 * nothing, not even on the loopback interface, which every user and every web page of this machine can reach. So TCP is
 * served with TLS to clients that show a certificate, or not at all. dockerd still allows less, warns of it, and has
 * announced to refuse it in a later version.
 */
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { messageOf } from '@dinghy/shared/api/message-of'

export type ListenAddress = { kind: 'unix'; path: string } | { kind: 'tcp'; host: string; port: number }

/** A flag that cannot be followed; the message can be shown as it is. */
export class ListenError extends Error {
  override readonly name = 'ListenError'
}

export interface TlsFlags {
  tlsverify: boolean
  tlscacert: string | undefined
  tlscert: string | undefined
  tlskey: string | undefined
}

/** PEM texts. */
export interface TlsFiles {
  ca: Buffer
  cert: Buffer
  key: Buffer
}

/** The addresses of --host, several of which may be given; one is enough. */
export function listenAddressesOf(hosts: string[], isTlsVerified: boolean): ListenAddress[] {
  if (hosts.length === 0) throw new ListenError('nothing to listen on: give --socket PATH or --host unix:///PATH')
  return hosts.map((host) => parseHost(host, isTlsVerified))
}

function parseHost(text: string, isTlsVerified: boolean): ListenAddress {
  const [, scheme = '', rest = ''] = /^(?:([a-z]+):\/\/)?(.*)$/.exec(text) ?? []
  if (scheme === 'unix') {
    if (rest === '') throw new ListenError(`invalid bind address (${text}): a path is missing`)
    return { kind: 'unix', path: rest }
  }
  if (scheme !== 'tcp' && scheme !== '') throw new ListenError(`invalid bind address (${text}): unsupported protocol`)
  // The name `localhost` stands in for a missing host, as in dockerd: never all interfaces by omission.
  const match = /^(\[[\da-fA-F:.]+\]|[^:[\]/]*)(?::(\d{1,5}))?$/.exec(rest)
  const port = Number(match?.[2] || 2376)
  if (match === null || rest === '' || port > 65535) throw new ListenError(`invalid bind address (${text})`)
  if (!isTlsVerified) {
    throw new ListenError(
      `will not listen on ${text} without --tlsverify: whoever reaches the port could do everything on this machine as the ` +
        "runtime's user. Give --tlsverify with --tlscacert, --tlscert and --tlskey, or use a unix socket",
    )
  }
  return { kind: 'tcp', host: (match[1] || '127.0.0.1').replace(/^\[|\]$/g, ''), port }
}

/** Where a flag is missing, the file of that name where the docker CLI keeps its own. */
export function readTlsFiles(flags: TlsFlags, env: NodeJS.ProcessEnv = process.env): TlsFiles {
  const directory = env['DOCKER_CERT_PATH'] || join(homedir(), '.docker')
  const read = (what: string, path: string): Buffer => {
    try {
      return readFileSync(path)
    } catch (error) {
      throw new ListenError(`could not read the ${what}: ${messageOf(error)}`)
    }
  }
  return {
    ca: read('CA certificate (--tlscacert)', flags.tlscacert ?? join(directory, 'ca.pem')),
    cert: read('certificate (--tlscert)', flags.tlscert ?? join(directory, 'cert.pem')),
    key: read('key (--tlskey)', flags.tlskey ?? join(directory, 'key.pem')),
  }
}
