/**
 * Where a webhook is reached: an https URL, or a Service of the cluster. Webhook configurations and the conversion of a
 * CustomResourceDefinition share it. Follows k8s.io/apiserver/pkg/util/webhook/validation.go.
 */

import { invalid, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { isDns1123Subdomain, isPortNumber } from '@dinghy/shared/api/names'
import { named } from './checks.ts'

export interface WebhookClient {
  url?: string
  service?: { namespace?: string; name?: string; path?: string; port?: number }
}

export function defaultWebhookClient(client: WebhookClient | undefined): void {
  if (client?.service) client.service.port ??= 443
}

export function validateWebhookClient(client: WebhookClient | undefined, path: string): FieldError[] {
  const { url, service } = client ?? {}
  if ((url === undefined) === (service === undefined)) {
    return [required(path, 'exactly one of url or service is required')]
  }
  return url === undefined ? validateService(service ?? {}, `${path}.service`) : validateUrl(url, `${path}.url`)
}

const form = '; desired format: https://host[/path]'

function validateUrl(url: string, path: string): FieldError[] {
  // By the parts of RFC 3986, appendix B: a URL without a host must be told of its host, not of its syntax.
  const {
    scheme = '',
    authority = '',
    query,
    fragment,
  } = /^(?:(?<scheme>[a-z][a-z0-9+.-]*):)?(?:\/\/(?<authority>[^/?#]*))?[^?#]*(?:\?(?<query>[^#]*))?(?:#(?<fragment>.*))?$/is.exec(
    url,
  )?.groups ?? {}
  const at = authority.lastIndexOf('@')
  const host = authority.slice(at + 1)
  const errors: FieldError[] = []
  if (scheme.toLowerCase() !== 'https') {
    errors.push(invalid(path, scheme.toLowerCase(), `'https' is the only allowed URL scheme${form}`))
  }
  if (host === '') errors.push(invalid(path, host, `host must be provided${form}`))
  if (at >= 0) errors.push(invalid(path, authority.slice(0, at), 'user information is not permitted in the URL'))
  if (fragment) errors.push(invalid(path, fragment, 'fragments are not permitted in the URL'))
  if (query) errors.push(invalid(path, query, 'query parameters are not permitted in the URL'))
  return errors
}

function validateService({ namespace, name, path, port = 0 }: NonNullable<WebhookClient['service']>, at: string) {
  const errors: FieldError[] = []
  // Upstream's callers pass the two names in the wrong order, so each complaint names the other field.
  if (!namespace) errors.push(required(`${at}.name`, 'service name is required'))
  if (!name) errors.push(required(`${at}.namespace`, 'service namespace is required'))
  const portProblems = isPortNumber(port)
  if (portProblems.length > 0) errors.push(invalid(`${at}.port`, port, `port is not valid: ${portProblems.join(', ')}`))
  return path === undefined || path === '' || path === '/' ? errors : [...errors, ...validatePath(path, `${at}.path`)]
}

function validatePath(path: string, at: string): FieldError[] {
  if (path === '//') return [invalid(at, path, 'segment[0] may not be empty')]
  const errors = path.startsWith('/') ? [] : [invalid(at, path, "must start with a '/'")]
  const segments = path.slice(1).replace(/\/$/, '').split('/')
  const problems = segments.flatMap((segment, i) =>
    segment === ''
      ? [`segment[${i}] may not be empty`]
      : isDns1123Subdomain(segment).map((problem) => `segment[${i}]: ${problem}`),
  )
  return [...errors, ...named(at, path, problems)]
}
