/**
 * A webhook for tests: an HTTPS server on loopback with a certificate of its own, that answers as the test says.
 */

import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { SubjectAlternativeNameExtension, X509CertificateGenerator } from '@peculiar/x509'
import { readBytes } from '@dinghy/shared/http/client'

/** What a webhook is sent. */
export interface Review {
  request: {
    uid: string
    operation: string
    name?: string
    namespace?: string
    subResource?: string
    kind: { group: string; version: string; kind: string }
    requestKind: { group: string; version: string; kind: string }
    resource: { group: string; version: string; resource: string }
    userInfo: { username: string }
    dryRun: boolean
    options: object | null
    object: { metadata: { name: string; labels?: Record<string, string> }; [field: string]: unknown } | null
    oldObject: object | null
  }
}

/** By path; it returns the `response` of the review without its uid, or the whole body with its status. */
export type Answer = (review: Review) => object | { statusCode: number; body: string } | Promise<object>

export async function webhookFixture(names: string[] = ['hook.default.svc']) {
  const { key, certificate } = await selfSigned(names)
  const asked: { path: string; review: Review }[] = []
  const answers: Record<string, Answer> = {}
  const server = createServer({ key, cert: certificate }, (request, response) => {
    void (async () => {
      const path = (request.url ?? '').split('?')[0] ?? ''
      const review = JSON.parse((await readBytes({ body: request })).toString()) as Review
      asked.push({ path, review })
      const answer = (await answers[path]?.(review)) ?? {}
      if ('statusCode' in answer) {
        const { statusCode, body } = answer as { statusCode: number; body: string }
        return response.writeHead(statusCode).end(body)
      }
      const { uid } = review.request
      const body = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: { uid, ...answer } }
      return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    })()
  })
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    url: (path: string) => `https://127.0.0.1:${port}${path}`,
    caBundle: Buffer.from(certificate).toString('base64'),
    asked,
    answers,
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A patch as webhooks send it. */
export function patchAnswer(...operations: object[]): object {
  return { allowed: true, patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(operations)).toString('base64') }
}

async function selfSigned(names: string[]): Promise<{ key: string; certificate: string }> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const made = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=webhook',
    keys,
    signingAlgorithm: algorithm,
    notBefore: new Date(Date.now() - 86_400_000),
    notAfter: new Date(Date.now() + 86_400_000),
    extensions: [
      new SubjectAlternativeNameExtension([
        { type: 'ip', value: '127.0.0.1' },
        ...names.map((value) => ({ type: 'dns' as const, value })),
      ]),
    ],
  })
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey))
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return {
    key: ['-----BEGIN PRIVATE KEY-----', ...lines, '-----END PRIVATE KEY-----', ''].join('\n'),
    certificate: made.toString('pem'),
  }
}
