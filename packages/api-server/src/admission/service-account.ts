// ServiceAccount: every pod runs as one, "default" if it does not say.
//
// Upstream also mounts a projected volume with a token into each container. That is left out for now: the volume would
// only help programs that talk to this server from inside a pod, and until the kubelet serves projected tokens it would
// keep every pod from starting.

import { forbidden } from '@dinghy/shared/api/errors'
import { ServiceAccounts } from '@dinghy/shared/api/resources'
import type { Pod } from '@dinghy/shared/api/types'
import type { Reader } from '../registry/reader.ts'
import type { AdmissionPlugin } from '../registry/admission.ts'
import { isAbout } from '../registry/admission.ts'

const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror'

export function serviceAccount(reader: Reader): AdmissionPlugin {
  return {
    name: 'ServiceAccount',
    admit(request) {
      if (request.operation !== 'CREATE' || !isAbout(request, '', 'pods')) return
      const pod = request.object as Pod
      if (pod.metadata.annotations?.[MIRROR_ANNOTATION]) return
      pod.spec.serviceAccountName ||= 'default'
      pod.spec.serviceAccount = pod.spec.serviceAccountName
      const account = reader.get(ServiceAccounts, request.namespace, pod.spec.serviceAccountName)
      if (account?.imagePullSecrets?.length && !pod.spec.imagePullSecrets?.length) {
        pod.spec.imagePullSecrets = structuredClone(account.imagePullSecrets)
      }
    },
    validate(request) {
      if (request.operation !== 'CREATE' || !isAbout(request, '', 'pods')) return
      const { metadata, spec } = request.object as Pod
      const name = spec.serviceAccountName ?? 'default'
      // "default" is made by a controller a moment after its namespace; a pod must not fail for being quick.
      if (name === 'default' || reader.get(ServiceAccounts, request.namespace, name)) return
      const message = `error looking up service account ${request.namespace}/${name}: serviceaccount ${JSON.stringify(name)} not found`
      throw forbidden('', 'pods', metadata.name, message)
    },
  }
}
