/**
 * The api-server process: the only one that opens the database.
 */

import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { aborted } from '@dinghy/shared/api/aborted'
import { runMain } from '@dinghy/shared/process/main'
import { loadSchema } from '@dinghy/shared/schema/schema'
import { loadSigningKey } from './auth/token-issuer.ts'
import { runEventTtl } from './registry/event-ttl.ts'
import { startServer } from './server.ts'
import { runCompaction } from './storage/compaction.ts'
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
      help: 'file of the database; the signing key of tokens lies beside it',
    },
    'service-cidr': {
      type: 'string',
      default: '127.96.0.0/16',
      help: 'network that Services get their addresses from',
    },
    'node-port-range': { type: 'string', default: '30000-32767', help: 'ports that Services of type NodePort get' },
    'default-toleration-seconds': { type: 'number', default: 300, help: 'how long pods stay on a node that went away' },
  },
  async run({ flags, log, clock, signal, health, metrics, announce }) {
    let isReady = false
    health.addCheck('bootstrap', () => isReady)
    mkdirSync(dirname(flags.database), { recursive: true })
    const storage = new SqliteStorage({ path: flags.database, clock })
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
        runCompaction(storage, clock, log, signal),
        runEventTtl(storage, clock, signal),
        Promise.race([server.following, aborted(signal)]),
      ])
    } finally {
      await server.close()
      storage.close()
    }
  },
})
