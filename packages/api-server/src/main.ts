/**
 * The api-server process: the only one that opens the database.
 */

import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { runMain } from '@dinghy/shared/process/main'
import { loadSchema } from '@dinghy/shared/schema/schema'
import { loadSigningKey } from './auth/token-issuer.ts'
import { runEventTtl } from './registry/event-ttl.ts'
import { startServer } from './server.ts'
import { runCompaction } from './storage/compaction.ts'
import { acceptDataLoss } from './storage/data-loss.ts'
import { Encryption, type EncryptionProvider } from './storage/encryption.ts'
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
      help: 'file of the database; the keys that sign tokens and encrypt Secrets lie beside it',
    },
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
    const server = await startServer(
      {
        listen: flags.listen,
        serviceCidr: flags.serviceCidr,
        nodePortRange: flags.nodePortRange,
        defaultTolerationSeconds: flags.defaultTolerationSeconds,
        signingKey: loadSigningKey(join(dirname(flags.database), 'service-account.key')),
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
