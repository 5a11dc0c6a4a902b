/**
 * The decode stage: the object that a request carries. One function for all who take one, so that none forgets a part:
 * read the body, see what the client thinks of unknown fields, decode, and pass on what there is to warn of.
 */

import type { KubernetesObject } from '@dinghy/shared/api/types'
import { decodeBody, type DecodeTarget } from './decode.ts'
import type { Exchange } from './exchange.ts'
import { fieldValidation } from './request-options.ts'

/** `options` is the kind that complaints about query parameters name: CreateOptions, UpdateOptions. */
export async function decodeRequest<T extends KubernetesObject>(
  exchange: Exchange,
  target: DecodeTarget,
  options: string,
): Promise<T> {
  const decode = await requestDecoder(exchange, target, options)
  return decode() as T
}

/** For who may need the object anew, because it changes what it got: each call decodes the same bytes. */
export async function requestDecoder(
  exchange: Exchange,
  target: DecodeTarget,
  options: string,
): Promise<() => KubernetesObject> {
  const body = await exchange.body()
  const validation = fieldValidation(exchange, options)
  const contentType = exchange.request.headers['content-type']
  return () => {
    const { object, warnings } = decodeBody(body, contentType, target, { fieldValidation: validation })
    exchange.warnings.push(...warnings)
    exchange.audit?.received(object)
    return object
  }
}
