/**
 * ServiceAccount: every pod runs as one, "default" if it does not say, and finds its token in each of its containers:
 * a projected volume with the token, the certificate authority and the namespace, as on every cluster. The pod or its
 * account says no to that with automountServiceAccountToken.
 *
 * Follows upstream's plugin/pkg/admission/serviceaccount. Different: a pod may be quicker than the controller that
 * makes "default" in a new namespace; upstream refuses it, here it waits on its node for the token.
 */

import { forbidden } from '@dinghy/shared/api/errors'
import { randomSuffix } from '@dinghy/shared/api/names'
import { ServiceAccounts } from '@dinghy/shared/api/resources'
import type { Container, Pod, ServiceAccount, Volume } from '@dinghy/shared/api/types'
import type { Reader } from '../registry/reader.ts'
import type { AdmissionPlugin } from '../registry/admission.ts'
import { isAbout } from '../registry/admission.ts'

const mirrorAnnotation = 'kubernetes.io/config.mirror'
const volumePrefix = 'kube-api-access-'
const tokenMountPath = '/var/run/secrets/kubernetes.io/serviceaccount'
/** An hour; the odd seconds tell this token from one that somebody asked for. */
const tokenSeconds = 3607

export function serviceAccount(reader: Reader): AdmissionPlugin {
  return {
    name: 'ServiceAccount',
    admit(request) {
      if (request.operation !== 'CREATE' || !isAbout(request, '', 'pods')) return
      const pod = request.object as Pod
      if (pod.metadata.annotations?.[mirrorAnnotation]) return
      pod.spec.serviceAccountName ||= 'default'
      pod.spec.serviceAccount = pod.spec.serviceAccountName
      const account = reader.get(ServiceAccounts, request.namespace, pod.spec.serviceAccountName)
      if (account?.imagePullSecrets?.length && !pod.spec.imagePullSecrets?.length) {
        pod.spec.imagePullSecrets = structuredClone(account.imagePullSecrets)
      }
      if (isTokenMounted(pod, account)) mountToken(pod)
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

function isTokenMounted(pod: Pod, account: ServiceAccount | undefined): boolean {
  return pod.spec.automountServiceAccountToken ?? account?.automountServiceAccountToken ?? true
}

/** Containers that mount something at that path already keep what they have. */
function mountToken({ spec }: Pod): void {
  const containers: Container[] = [...(spec.initContainers ?? []), ...(spec.containers ?? [])]
  const lacking = containers.filter(({ volumeMounts }) => !volumeMounts?.some(isAtMountPath))
  if (lacking.length === 0) return
  const volumes = (spec.volumes ??= [])
  const present = volumes.find(({ name }) => name.startsWith(volumePrefix))
  const name = present?.name ?? volumePrefix + randomSuffix(5)
  for (const container of lacking) {
    const mounts = (container.volumeMounts ??= [])
    mounts.push({ name, readOnly: true, mountPath: tokenMountPath })
  }
  if (!present) volumes.push(tokenVolume(name))
}

function isAtMountPath({ mountPath }: { mountPath: string }): boolean {
  return mountPath === tokenMountPath
}

function tokenVolume(name: string): Volume {
  return {
    name,
    projected: {
      sources: [
        { serviceAccountToken: { expirationSeconds: tokenSeconds, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        {
          downwardAPI: {
            items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
          },
        },
      ],
      defaultMode: 0o644,
    },
  }
}
