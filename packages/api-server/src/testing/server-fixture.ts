/**
 * A whole API server on an in-memory database and a free port, for tests.
 */

import { request } from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { createInterface } from 'node:readline'
import { FakeClock } from '@dinghy/shared/api/clock'
import { Health } from '@dinghy/shared/process/health'
import { createLogger } from '@dinghy/shared/process/logger'
import { Metrics } from '@dinghy/shared/process/metrics'
import { loadSchema } from '@dinghy/shared/schema/schema'
import { newSigningKey } from '@dinghy/shared/pki/signing-key'
import { type ServerOptions, startServer } from '../server.ts'
import { SqliteStorage } from '../storage/sqlite.ts'

export interface Answer {
  code: number
  headers: IncomingHttpHeaders
  text: string
  /** The body as JSON. */
  json: Json
}

/** Any JSON, for looking into. */
export type Json = { [key: string]: Json } & { [index: number]: Json } & { length?: number }

/**
 * Plain HTTP, where everybody is the administrator, unless the options say otherwise; on a database of its own, unless
 * that of a server before it is given.
 */
export async function serverFixture(
  options: Partial<ServerOptions> = {},
  database?: { clock: FakeClock; storage: SqliteStorage },
) {
  const clock = database?.clock ?? new FakeClock('2025-01-01T00:00:00Z')
  const storage = database?.storage ?? new SqliteStorage({ path: ':memory:', clock })
  const log: string[] = []
  const server = await startServer(
    {
      listen: ['127.0.0.1:0'],
      serviceCidr: '127.96.0.0/16',
      nodePortRange: '30000-32767',
      defaultTolerationSeconds: 300,
      signingKey: newSigningKey(),
      ...options,
    },
    {
      schema: loadSchema(),
      storage,
      clock,
      log: createLogger({ name: 'test', level: 'error', clock, write: (line) => log.push(line) }),
      health: new Health(),
      metrics: new Metrics(),
    },
  )
  const open = (method: string, path: string, headers: Record<string, string> = {}, body?: string | Buffer) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = request({ host: server.host, port: server.port, method, path, headers }, resolve)
      outgoing.on('error', reject)
      outgoing.end(body)
    })
  const ask = async (
    method: string,
    path: string,
    body?: string | Buffer | object,
    headers: Record<string, string> = {},
  ): Promise<Answer> => {
    const bytes = body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body)
    const type: Record<string, string> = bytes === undefined ? {} : { 'content-type': 'application/json' }
    const response = await open(method, path, { ...type, ...headers }, bytes)
    const chunks: Buffer[] = []
    for await (const chunk of response) chunks.push(chunk as Buffer)
    const text = Buffer.concat(chunks).toString()
    return {
      code: response.statusCode ?? 0,
      headers: response.headers,
      text,
      get json() {
        return JSON.parse(text) as Json
      },
    }
  }
  return {
    server,
    storage,
    clock,
    log,
    open,
    ask,
    /** The events of a watch, one by one. Ends with the stream; `close` hangs up. */
    async watch(path: string, headers: Record<string, string> = {}) {
      const response = await open('GET', path, headers)
      const lines = createInterface({ input: response })[Symbol.asyncIterator]()
      return {
        code: response.statusCode,
        close: () => response.destroy(),
        async next(): Promise<Json | undefined> {
          const { value, done } = await lines.next()
          return done ? undefined : (JSON.parse(value) as Json)
        },
      }
    },
    /** Ends this server and starts another on the same database. */
    async restart() {
      await server.close()
      return serverFixture(options, { clock, storage })
    },
    async close() {
      await server.close()
      storage.close()
    },
  }
}
