/**
 * Whom a client of ours believes beside the authorities that Node brings along: those in the file that
 * NODE_EXTRA_CA_CERTS names, as on a machine behind a proxy of its company.
 *
 * Node 20 reads that file, and its own 150 certificates with it, when a process starts: 37 ms of processor time, more
 * than all else that a bare process does until it listens. Hardly any process of a cluster ever makes a connection that
 * needs them. So whoever starts processes hands the variable on under another name (`withLateAuthorities`), and the
 * file is read at the first connection that names no authorities of its own.
 */

import { readFileSync } from 'node:fs'
import type { SecureContext, SecureContextOptions } from 'node:tls'

const nodesVariable = 'NODE_EXTRA_CA_CERTS'
const ourVariable = 'DINGHY_EXTRA_CA_CERTS'

/** The environment for a process of ours. Pure. */
export function withLateAuthorities(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { [nodesVariable]: file, ...others } = env
  return file ? { ...others, [ourVariable]: file } : env
}

/** What such a connection is made with; undefined where Node's own authorities, or the caller's, are all there are. */
export function contextWithExtraAuthorities(
  tls: SecureContextOptions & { rejectUnauthorized?: boolean } = {},
  env: NodeJS.ProcessEnv = process.env,
): SecureContext | undefined {
  const file = env[ourVariable]
  if (!file || tls.ca !== undefined || tls.rejectUnauthorized === false) return undefined
  try {
    const extra = readFileSync(file, 'utf8')
    // Loaded when it is needed: most processes never speak TLS to anybody outside.
    const { createSecureContext, rootCertificates } = process.getBuiltinModule('node:tls')
    return createSecureContext({ ...tls, ca: [...rootCertificates, extra] })
  } catch (error) {
    // What Node does at its start.
    process.emitWarning(`Ignoring extra certs from ${file}: ${(error as Error).message}`)
    return undefined
  }
}
