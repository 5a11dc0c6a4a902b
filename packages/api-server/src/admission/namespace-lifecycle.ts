/**
 * NamespaceLifecycle: nothing is created in a namespace that is not there or on its way out, and the namespaces that
 * the system itself lives in are not deleted.
 */

import { forbidden, notFound, StatusError } from '@dinghy/shared/api/errors'
import { Namespaces } from '@dinghy/shared/api/resources'
import type { Reader } from '../registry/reader.ts'
import type { AdmissionPlugin, AdmissionRequest } from '../registry/admission.ts'
import { isAbout } from '../registry/admission.ts'

const immortal = new Set(['default', 'kube-system', 'kube-public'])

export function namespaceLifecycle(reader: Reader): AdmissionPlugin {
  const requireAliveNamespace = (request: AdmissionRequest) => {
    const { operation, definition, namespace } = request
    if (operation !== 'CREATE' || !definition.namespaced || namespace === undefined) return
    // What one may do somewhere can be asked anywhere.
    if (definition.group === 'authorization.k8s.io') return
    const found = reader.get(Namespaces, undefined, namespace)
    if (!found) throw notFound('', 'namespaces', namespace)
    if (found.metadata.deletionTimestamp || found.status?.phase === 'Terminating') throw terminating(request, namespace)
  }
  return {
    name: 'NamespaceLifecycle',
    admit: requireAliveNamespace,
    validate(request) {
      if (request.operation === 'DELETE' && isAbout(request, '', 'namespaces') && immortal.has(request.name)) {
        throw forbidden('', 'namespaces', request.name, 'this namespace may not be deleted')
      }
      requireAliveNamespace(request)
    },
  }
}

function terminating({ definition, object }: AdmissionRequest, namespace: string): StatusError {
  const name = object?.metadata.name ?? ''
  const message = `unable to create new content in namespace ${namespace} because it is being terminated`
  const { status } = forbidden(definition.group, definition.plural, name, message)
  const cause = {
    reason: 'NamespaceTerminating',
    message: `namespace ${namespace} is being terminated`,
    field: 'metadata.namespace',
  }
  return new StatusError({ ...status, details: { ...status.details, causes: [cause] } })
}
