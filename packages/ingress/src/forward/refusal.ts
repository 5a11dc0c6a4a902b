/**
 * The answers that the ingress gives itself. Pure.
 *
 * gRPC has its own words for them: status 200, and what happened in grpc-status (which its clients look at).
 */

import { type HeaderList, headerOf } from '../routing/model.ts'

export interface Refusal {
  status: number
  headers: string[]
  body: string
}

/** What is said to people; the log says more. */
const texts: Record<number, string> = {
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  414: 'URI Too Long',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  508: 'Loop Detected',
}

/** gRPC's codes for HTTP's: its own table ("HTTP to gRPC status code mapping"), and what the Gateway API asks for. */
const grpcCodes: Record<number, number> = { 400: 13, 404: 12, 500: 14, 502: 14, 503: 14, 504: 4 }

export function refusal(status: number, why: string, requestHeaders: HeaderList): Refusal {
  const isGrpc = headerOf(requestHeaders, 'content-type')?.startsWith('application/grpc') ?? false
  if (isGrpc) {
    const code = String(grpcCodes[status] ?? 2)
    const headers = ['content-type', 'application/grpc', 'grpc-status', code, 'grpc-message', encodeURIComponent(why)]
    return { status: 200, headers, body: '' }
  }
  const body = `${status} ${texts[status] ?? ''}: ${why}\n`
  const headers = ['Content-Type', 'text/plain; charset=utf-8', 'Content-Length', String(Buffer.byteLength(body))]
  return { status, headers, body }
}
