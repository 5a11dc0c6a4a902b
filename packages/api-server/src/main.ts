/**
 * The api-server process: the only one that opens the database.
 */

import { mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Clock } from '@dinghy/shared/api/clock'
import type { ClientTls } from '@dinghy/shared/http/client'
import { FlagError } from '@dinghy/shared/process/flags'
import { parseHostPort } from '@dinghy/shared/http/listen-address'
import type { Logger } from '@dinghy/shared/process/logger'
import { runMain } from '@dinghy/shared/process/main'
import { loadSchema } from '@dinghy/shared/schema/schema'
import { ownerReferencesPermissionName } from './admission/owner-references-permission.ts'
import { type AuthorizationMode, authorizationModes } from './auth/authorization.ts'
import { loadSigningKey } from './auth/token-issuer.ts'
import { runEventTtl } from './registry/event-ttl.ts'
import { type FrontProxy, type ServerIdentity, type ServerOptions, startServer } from './server.ts'
import { runCompaction } from './storage/compaction.ts'
import { acceptDataLoss } from './storage/data-loss.ts'
import { Encryption, type EncryptionProvider } from './storage/encryption.ts'
import { SqliteStorage } from './storage/sqlite.ts'

runMain({
  name: 'api-server',
  flags: {
    listen: {
      type: 'list',
      default: ['127.0.0.1:6443'],
      help: 'addresses to serve the API on, host:port, and unix:FILE after the first; those of this machine only',
    },
    'advertise-address': {
      type: 'string',
      help: 'the address of this server that stands in the Service kubernetes (default: the first of --listen)',
    },
    storage: { type: 'string', default: 'sqlite', oneOf: ['sqlite'], help: 'where objects are kept' },
    database: {
      type: 'string',
      required: true,
      help: 'file of the database; the key that encrypts Secrets lies beside it',
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
    'cluster-dns': { type: 'string', help: 'address of the Service kube-dns; without it there is no such Service' },
    'cluster-dns-endpoint': { type: 'string', help: 'where the DNS server behind it listens, host:port' },
    'authorization-mode': {
      type: 'list',
      default: ['AlwaysAllow'],
      help: `who decides what a user may do: ${authorizationModes.join(', ')}`,
    },
    'enable-admission-plugins': {
      type: 'list',
      default: [],
      help: `plugins besides those that are always there: ${ownerReferencesPermissionName}`,
    },
    'service-account-signing-key-file': {
      type: 'string',
      help: 'the key that signs tokens of service accounts, made if it is not there (default: beside the database)',
    },
    'service-account-max-token-expiration': { type: 'duration', help: 'the longest that such a token may live' },
    'kubelet-certificate-authority': { type: 'string', help: 'the authority that signs the certificates of kubelets' },
    'kubelet-client-certificate': { type: 'string', help: 'how this server shows itself to kubelets' },
    'kubelet-client-key': { type: 'string', help: 'the key of that certificate' },
    'requestheader-client-ca-file': {
      type: 'string',
      help: 'the authority that signs the certificate below, for extension servers to know',
    },
    'proxy-client-cert-file': { type: 'string', help: 'how this server shows itself to extension servers' },
    'proxy-client-key-file': { type: 'string', help: 'the key of that certificate' },
    'audit-policy-file': { type: 'string', help: 'which requests are audited, and how much of them; without it none' },
    'audit-log-path': { type: 'string', help: 'the file that audit events are written to; - is standard output' },
    'audit-log-maxsize': { type: 'number', default: 100, help: 'how many megabytes that file has before it is cut' },
    'audit-log-maxbackup': { type: 'number', default: 0, help: 'how many older pieces of it are kept; 0 means all' },
    'service-cidr': {
      type: 'string',
      default: '127.96.0.0/16',
      help: 'network that Services get their addresses from',
    },
    'node-port-range': { type: 'string', default: '30000-32767', help: 'ports that Services of type NodePort get' },
    'encryption-provider': {
      type: 'string',
      default: 'aesgcm',
      oneOf: ['aesgcm', 'identity'],
      help: 'how Secrets that are written from now on lie in the database',
    },
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
    const encryptionKey = join(dirname(flags.database), 'encryption.key')
    const encryption = new Encryption(flags.encryptionProvider as EncryptionProvider, encryptionKey)
    const database = { path: flags.database, encryption }
    if (flags.acceptDataLoss) {
      process.stdout.write(`${acceptDataLoss(database)}\n`)
      return
    }
    let isReady = false
    health.addCheck('bootstrap', () => isReady)
    const storage = new SqliteStorage({ ...database, clock })
    health.addCheck('storage', () => storage.check())
    const audit = await auditOf(flags, { clock, log })
    const server = await startServer(
      {
        listen: addresses(flags.listen),
        advertiseAddress: flags.advertiseAddress,
        serviceCidr: flags.serviceCidr,
        nodePortRange: flags.nodePortRange,
        defaultTolerationSeconds: flags.defaultTolerationSeconds,
        signingKey: loadSigningKey(
          flags.serviceAccountSigningKeyFile ?? join(dirname(flags.database), 'service-account.key'),
        ),
        tls: serverIdentity(flags),
        adminSocket: flags.adminSocket,
        anonymousAuth: flags.anonymousAuth,
        dns:
          flags.clusterDns && flags.clusterDnsEndpoint
            ? { address: flags.clusterDns, endpoint: parseHostPort(flags.clusterDnsEndpoint) }
            : undefined,
        admissionPlugins: flags.enableAdmissionPlugins.map(admissionPlugin),
        authorizationModes: flags.authorizationMode.map(authorizationMode),
        kubeletTls: kubeletTls(flags),
        frontProxy: frontProxy(flags),
        audit,
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
      await audit?.log.close()
      storage.close()
    }
  },
})

function addresses([first, ...others]: string[]): [string, ...string[]] {
  if (first === undefined) throw new FlagError('--listen needs an address')
  return [first, ...others]
}

function admissionPlugin(name: string): string {
  if (name === ownerReferencesPermissionName) return name
  throw new FlagError(`--enable-admission-plugins ${name} is none of ${ownerReferencesPermissionName}`)
}

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

interface FrontProxyFlags {
  requestheaderClientCaFile?: string | undefined
  proxyClientCertFile?: string | undefined
  proxyClientKeyFile?: string | undefined
}

function frontProxy(flags: FrontProxyFlags): FrontProxy | undefined {
  const { requestheaderClientCaFile: authority, proxyClientCertFile: certificate, proxyClientKeyFile: key } = flags
  if (certificate === undefined) return undefined
  if (authority === undefined || key === undefined) {
    throw new FlagError('--proxy-client-cert-file needs --proxy-client-key-file and --requestheader-client-ca-file')
  }
  return { authority: read(authority), certificate: read(certificate), key: read(key) }
}

interface AuditFlags {
  auditPolicyFile?: string | undefined
  auditLogPath?: string | undefined
  auditLogMaxsize: number
  auditLogMaxbackup: number
}

/** As upstream, it takes both: a policy alone has nowhere to write, a path alone nothing. */
async function auditOf(flags: AuditFlags, deps: { clock: Clock; log: Logger }): Promise<ServerOptions['audit']> {
  const { auditPolicyFile, auditLogPath: path, auditLogMaxsize, auditLogMaxbackup: maxBackups } = flags
  if (auditPolicyFile === undefined || path === undefined) return undefined
  const [{ parse }, { readPolicy }, { openAuditLog }] = await Promise.all([
    import('yaml'),
    import('./audit/policy.ts'),
    import('./audit/audit-log.ts'),
  ])
  let policy
  try {
    policy = readPolicy(parse(read(auditPolicyFile)))
  } catch (error) {
    throw new FlagError(`--audit-policy-file ${auditPolicyFile} ${(error as Error).message}`)
  }
  return { policy, log: openAuditLog({ path, maxBytes: auditLogMaxsize * 1e6, maxBackups }, deps) }
}

function read(path: string): string {
  return readFileSync(path, 'utf8')
}
