/**
 * The root CA publisher: every namespace has a ConfigMap "kube-root-ca.crt", which the volume of every ServiceAccount
 * token mounts beside the token. Changed or deleted, it is put right.
 *
 * Our API server speaks plain HTTP on loopback, so there is no certificate to publish. The file is there all the same,
 * because pods mount it, and says so in the comment that PEM files may carry.
 */

import { ConfigMaps, Namespaces } from '@dinghy/shared/api/resources'
import type { ConfigMap } from '@dinghy/shared/api/types'
import { runController } from '@dinghy/shared/reconcile/controller'
import type { ControllerDeps } from './deps.ts'
import { isActive, isSettled } from './service-account.ts'

const configMapName = 'kube-root-ca.crt'
const bundle = '# The API server of this cluster speaks plain HTTP on loopback: there is no certificate to verify.\n'
const annotations = { 'kubernetes.io/description': 'The CA bundle that verifies the API server of this cluster.' }

export async function startRootCaController(deps: ControllerDeps, signal: AbortSignal): Promise<void> {
  const namespaces = deps.informers.for(Namespaces)
  const configMaps = deps.informers.for(ConfigMaps)

  await runController(
    {
      ...deps,
      name: 'root-ca-cert-publisher',
      reconciles: namespaces,
      watches: [[configMaps, namespaceOfBundle]],
      reconcile: async (namespace, { client, signal }) => {
        if (!isActive(namespaces.lister.get(namespace))) return
        const present = configMaps.lister.get(`${namespace}/${configMapName}`)
        const data = { 'ca.crt': bundle }
        try {
          if (!present) {
            const metadata = { name: configMapName, namespace, annotations }
            await client.create(ConfigMaps, { metadata, data }, {}, signal)
          } else if (present.data?.['ca.crt'] !== bundle || Object.keys(present.data).length !== 1) {
            await client.update(ConfigMaps, { ...present, data }, {}, signal)
          }
        } catch (error) {
          if (!isSettled(error)) throw error
        }
      },
    },
    signal,
  )
}

function namespaceOfBundle({ metadata: { name, namespace } }: ConfigMap): string[] {
  return name === configMapName && namespace !== undefined ? [namespace] : []
}
