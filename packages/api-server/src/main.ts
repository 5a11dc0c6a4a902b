/**
 * The api-server process: the only one that opens the database.
 */

import { mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { ClientTls } from '@dinghy/shared/http/client'
import { FlagError } from '@dinghy/shared/process/flags'
import { runMain } from '@dinghy/shared/process/main'
import { loadSchema } from '@dinghy/shared/schema/schema'
import { type AuthorizationMode, authorizationModes } from './auth/authorization.ts'
import { loadSigningKey } from './auth/token-issuer.ts'
import { runEventTtl } from './registry/event-ttl.ts'
import { type ServerIdentity, startServer } from './server.ts'
import { runCompaction } from './storage/compaction.ts'
import { acceptDataLoss } from './storage/data-loss.ts'
import { SqliteStorage } from './storage/sqlite.ts'

runMain({
  name: 'api-server',
  flags: {
    listen: {
      type: 'string',
      default: '127.0.0.1:6443',
      help: 'address to serve the API on, host:port; loopback only',
    },
    storage: { type: 'string', default: 'sqlite', oneOf: ['sqlite'], help: 'where objects are kept' },
    database: {
      type: 'string',
      required: true,
      help: 'file of the database',
    },
    'tls-cert-file': {
      type: 'string',
      help: "the server's certificate; without one it speaks plain HTTP, and whoever reaches it is its administrator",
    },
    'tls-private-key-file': { type: 'string', help: 'the key of that certificate' },
    'client-ca-file': { type: 'string', help: 'the authority that signs the certificates of clients' },
    'admin-socket': {
      type: 'string',
      help: 'a unix socket to serve on, too; whoever may open it is the administrator',
    },
    'anonymous-auth': {
      type: 'boolean',
      default: true,
      help: 'let requests without credentials see /healthz, /livez, /readyz and /version',
    },
    'authorization-mode': {
      type: 'list',
      default: ['AlwaysAllow'],
      help: `who decides what a user may do: ${authorizationModes.join(', ')}`,
    },
    'service-account-signing-key-file': {
      type: 'string',
      help: 'the key that signs tokens of service accounts, made if it is not there (default: beside the database)',
    },
    'service-account-max-token-expiration': { type: 'duration', help: 'the longest that such a token may live' },
    'kubelet-certificate-authority': { type: 'string', help: 'the authority that signs the certificates of kubelets' },
    'kubelet-client-certificate': { type: 'string', help: 'how this server shows itself to kubelets' },
    'kubelet-client-key': { type: 'string', help: 'the key of that certificate' },
    'service-cidr': {
      type: 'string',
      default: '127.96.0.0/16',
      help: 'network that Services get their addresses from',
    },
    'node-port-range': { type: 'string', default: '30000-32767', help: 'ports that Services of type NodePort get' },
    'history-bytes': {
      type: 'number',
      default: 64 << 20,
      help: 'how much of the past to keep; at most a quarter of it is what people wrote',
    },
    'accept-data-loss': {
      type: 'boolean',
      help: 'do not serve: replace a damaged database by what can be read of it, and say what is lost',
    },
    'default-toleration-seconds': { type: 'number', default: 300, help: 'how long pods stay on a node that went away' },
  },
  async run({ flags, log, clock, signal, health, metrics, announce }) {
    mkdirSync(dirname(flags.database), { recursive: true })
    const database = { path: flags.database }
    if (flags.acceptDataLoss) {
      process.stdout.write(`${acceptDataLoss(database)}\n`)
      return
    }
    let isReady = false
    health.addCheck('bootstrap', () => isReady)
    const storage = new SqliteStorage({ ...database, clock })
    health.addCheck('storage', () => storage.check())
    const server = await startServer(
      {
        listen: flags.listen,
        serviceCidr: flags.serviceCidr,
        nodePortRange: flags.nodePortRange,
        defaultTolerationSeconds: flags.defaultTolerationSeconds,
        signingKey: loadSigningKey(
          flags.serviceAccountSigningKeyFile ?? join(dirname(flags.database), 'service-account.key'),
        ),
        tls: serverIdentity(flags),
        adminSocket: flags.adminSocket,
        anonymousAuth: flags.anonymousAuth,
        authorizationModes: flags.authorizationMode.map(authorizationMode),
        kubeletTls: kubeletTls(flags),
        ...(flags.serviceAccountMaxTokenExpiration
          ? { maxTokenSeconds: flags.serviceAccountMaxTokenExpiration / 1000 }
          : {}),
      },
      { schema: loadSchema(), storage, clock, log, health, metrics },
    )
    isReady = true
    announce({ server: server.url })
    log.info({ server: server.url, revision: storage.revision }, 'serving')
    try {
      await Promise.all([
        runCompaction({ storage, historyBytes: flags.historyBytes, clock, log }, signal),
        runEventTtl(storage, clock, signal),
      ])
    } finally {
      await server.close()
      storage.close()
    }
  },
})

function authorizationMode(name: string): AuthorizationMode {
  const mode = authorizationModes.find((known) => known === name)
  if (mode) return mode
  throw new FlagError(`--authorization-mode ${name} is none of ${authorizationModes.join(', ')}`)
}

interface TlsFlags {
  tlsCertFile?: string | undefined
  tlsPrivateKeyFile?: string | undefined
  clientCaFile?: string | undefined
}

function serverIdentity({ tlsCertFile, tlsPrivateKeyFile, clientCaFile }: TlsFlags): ServerIdentity | undefined {
  if (tlsCertFile === undefined) return undefined
  if (tlsPrivateKeyFile === undefined || clientCaFile === undefined) {
    throw new FlagError('--tls-cert-file needs --tls-private-key-file and --client-ca-file')
  }
  return { certificate: read(tlsCertFile), key: read(tlsPrivateKeyFile), clientAuthority: read(clientCaFile) }
}

interface KubeletFlags {
  kubeletCertificateAuthority?: string | undefined
  kubeletClientCertificate?: string | undefined
  kubeletClientKey?: string | undefined
}

function kubeletTls(flags: KubeletFlags): ClientTls | undefined {
  const { kubeletCertificateAuthority: ca, kubeletClientCertificate: cert, kubeletClientKey: key } = flags
  if (cert === undefined) return undefined
  if (key === undefined) throw new FlagError('--kubelet-client-certificate needs --kubelet-client-key')
  // As upstream: without an authority to ask, any kubelet is believed.
  return { cert: read(cert), key: read(key), ...(ca === undefined ? { rejectUnauthorized: false } : { ca: read(ca) }) }
}

function read(path: string): string {
  return readFileSync(path, 'utf8')
}
