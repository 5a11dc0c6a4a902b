/**
 * The refusal of a request that is not authorized, in upstream's words (apiserver/endpoints/handlers/responsewriters).
 */

import { forbidden, type StatusError } from '@dinghy/shared/api/errors'
import type { AccessAttributes } from './authorize.ts'

export function notAuthorized(attributes: AccessAttributes, reason: string): StatusError {
  const { group, resource, name } = attributes
  const what = escaped(describe(attributes))
  return forbidden(group, resource, name ?? '', reason ? `${what}: ${reason}` : what)
}

function describe({ user, verb, group, resource, subresource, namespace, path }: AccessAttributes): string {
  const who = `User ${JSON.stringify(user.username)}`
  if (path !== undefined) return `${who} cannot ${verb} path ${JSON.stringify(path)}`
  const what = JSON.stringify(subresource ? `${resource}/${subresource}` : resource)
  const where = namespace ? `in the namespace ${JSON.stringify(namespace)}` : 'at the cluster scope'
  return `${who} cannot ${verb} resource ${what} in API group ${JSON.stringify(group)} ${where}`
}

/** The text may be shown by a browser, and names are the client's own. */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
