/**
 * The values of the variables that expressions in match conditions and policies use, for one request. Follows
 * k8s.io/apiserver/pkg/admission/plugin/cel.
 */

import type { Authorizer } from '../auth/authorize.ts'
import { serviceAccountUser, type UserInfo } from '../auth/user.ts'
import type { Cel } from '../cel/cel.ts'
import { CelAuthorizer, type Checks, type ResourceAttributes } from '../cel/library/authorizer.ts'
import type { AdmissionRequest } from '../registry/admission.ts'
import { requestType } from '../registry/kinds/admission-expressions.ts'
import type { ResourceDefinition } from '../registry/resource-definition.ts'
import { describeRequest, objectsIn } from './attributes.ts'
import { namespaceOf } from './match/selectors.ts'

/** Values are made of JSON when somebody first asks for them: most requests match nothing. */
export class RequestVariables {
  readonly #cel: Cel
  readonly #authorizer: Authorizer
  readonly #request: AdmissionRequest
  readonly #made = new Map<ResourceDefinition, Record<string, unknown>>()

  constructor(cel: Cel, authorizer: Authorizer, request: AdmissionRequest) {
    this.#cel = cel
    this.#authorizer = authorizer
    this.#request = request
  }

  in(version: ResourceDefinition): Record<string, unknown> {
    const made = this.#made.get(version) ?? this.#make(version)
    this.#made.set(version, made)
    return made
  }

  #make(version: ResourceDefinition): Record<string, unknown> {
    const { object, oldObject } = objectsIn(version, this.#request)
    return {
      object: this.#cel.toCelValue(object),
      oldObject: this.#cel.toCelValue(oldObject),
      request: this.#cel.toCelValue(describeRequest(this.#request, version), requestType),
      authorizer: celAuthorizer(this.#authorizer, this.#request),
    }
  }
}

const requestVerbs = { CREATE: 'create', UPDATE: 'update', DELETE: 'delete', CONNECT: 'connect' }

function celAuthorizer(authorizer: Authorizer, request: AdmissionRequest): CelAuthorizer {
  const { definition, subresource, name, operation, context } = request
  const attributes: ResourceAttributes = {
    verb: requestVerbs[operation],
    group: definition.group,
    resource: definition.plural,
    subresource: subresource ?? '',
    namespace: namespaceOf(request) ?? '',
    name,
  }
  return new CelAuthorizer(checksFor(authorizer, context.user), attributes)
}

function checksFor(authorizer: Authorizer, user: UserInfo): Checks {
  const nowhere = { user, group: '', version: '', resource: '', subresource: undefined, namespace: undefined }
  return {
    resource: ({ verb, group, resource, subresource, namespace, name }) =>
      authorizer({
        user,
        verb,
        group,
        version: '*',
        resource,
        subresource: subresource || undefined,
        namespace: namespace || undefined,
        name: name || undefined,
        path: undefined,
      }),
    path: (path, verb) => authorizer({ ...nowhere, verb, name: undefined, path }),
    as: (namespace, name) => checksFor(authorizer, serviceAccountUser(namespace, name)),
  }
}
