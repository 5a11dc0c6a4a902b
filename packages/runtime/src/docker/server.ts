/**
 * The Engine API on its sockets: a Fastify application.
 *
 *   request ─► no web page ─► version ─► route ─► handler ─► answer
 *                  │             │         │ none: 404 page not found
 *                  └─────────────┴─────────┴─ throws: DockerError → its status, anything else → 500 and a log line
 *
 * An upgrade request (attach, exec) takes the same way; its handler calls request.hijack() when it is ready to answer.
 */
import { messageOf } from '@dinghy/shared/api/message-of'
import { DockerError, notFound, serverError } from '@dinghy/shared/docker/errors'
import { HttpServer } from '@dinghy/shared/http/server'
import type { Logger } from '@dinghy/shared/process/logger'
import { apiVersion, checkVersion } from './api-version.ts'
import { routeUrl, splitVersion } from './engine-path.ts'
import { ListenError, type ListenAddress, type TlsFiles } from './listen-address.ts'
import { answerTo, logUnexpected } from './router.ts'

/** Routes are added by a Router before the first listen(). */
export function createDockerServer({ log, version }: { log: Logger; version: string }): HttpServer {
  const server = new HttpServer({
    maxParamLength: 4096,
    rewriteUrl: ({ method = 'GET', url = '/' }) => routeUrl(method, url),
    // Browsers can be made to send requests to a unix socket's TCP stand-in; no docker client ever sends an Origin.
    guard: ({ origin }) => {
      if (origin !== undefined) throw new DockerError(403, 'requests from web pages are not served')
    },
    notFound: () => {
      throw notFound('page not found')
    },
    errorHandler: (error, request) => {
      logUnexpected(log, request, error)
      return answerTo(error)
    },
  })
  const headers = new Map(Object.entries(standardHeaders(version)))
  server.app.addHook('onRequest', (request, reply, done) => {
    reply.raw.setHeaders(headers)
    checkVersion(splitVersion(request.originalUrl).version)
    done()
  })
  return server
}

/** Unix sockets are for their owner alone; TCP is for clients whose certificate is signed by `tls.ca`. */
export async function listen(server: HttpServer, address: ListenAddress, tls: TlsFiles | undefined): Promise<void> {
  try {
    if (address.kind === 'unix') await server.listen({ socketPath: address.path, mode: 0o600 })
    else {
      const { host, port } = address
      await server.listen({
        host,
        port,
        ...(tls ? { tls: { ...tls, requestCert: true, rejectUnauthorized: true } } : {}),
      })
    }
  } catch (error) {
    if (address.kind === 'tcp')
      throw new ListenError(`cannot listen on tcp://${address.host}:${address.port}: ${messageOf(error)}`)
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE')
      throw serverError(`${address.path} is in use by another runtime`, error)
    throw error
  }
}

function standardHeaders(version: string): Record<string, string> {
  return {
    'Api-Version': apiVersion,
    'Docker-Experimental': 'false',
    Ostype: process.platform === 'win32' ? 'windows' : 'linux',
    Server: `Dinghy/${version} (${process.platform})`,
  }
}
