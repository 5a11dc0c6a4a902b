/**
 * The root CA publisher: every namespace has a ConfigMap "kube-root-ca.crt", which the volume of every ServiceAccount
 * token mounts beside the token, so that a program in a pod can tell the API server from an impostor. Changed or
 * deleted, it is put right. As upstream, it does nothing where no authority was named (--root-ca-file).
 */

import { makeKey } from '@dinghy/shared/api/keys'
import { ConfigMaps, Namespaces } from '@dinghy/shared/api/resources'
import type { ConfigMap, Namespace } from '@dinghy/shared/api/types'
import type { Informer } from '@dinghy/shared/client/informer'
import { runController, type ReconcileContext } from '@dinghy/shared/reconcile/controller'
import type { Controller, ControllerDeps } from '../deps.ts'
import { isActive, isSettled } from '../children/active-namespace.ts'

const configMapName = 'kube-root-ca.crt'
const description =
  'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the ' +
  'internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes ' +
  'clusters.'
const annotations = { 'kubernetes.io/description': description }

export class RootCaController implements Controller {
  readonly #deps: ControllerDeps
  readonly #namespaces: Informer<Namespace>
  readonly #configMaps: Informer<ConfigMap>

  constructor(deps: ControllerDeps) {
    this.#deps = deps
    this.#namespaces = deps.informers.for(Namespaces)
    this.#configMaps = deps.informers.for(ConfigMaps)
  }

  async run(signal: AbortSignal): Promise<void> {
    await runController(
      {
        ...this.#deps,
        name: 'root-ca-cert-publisher',
        reconciles: this.#namespaces,
        watches: [[this.#configMaps, namespaceOfBundle]],
        reconcile: (namespace, context) => this.reconcile(namespace, context),
      },
      signal,
    )
  }

  async reconcile(namespace: string, { client, signal }: ReconcileContext): Promise<void> {
    if (!isActive(this.#namespaces.lister.get(namespace))) return
    const present = this.#configMaps.lister.get(makeKey(namespace, configMapName))
    const bundle = this.#deps.flags.rootCa
    if (bundle === undefined) return
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
  }
}

function namespaceOfBundle({ metadata: { name, namespace } }: ConfigMap): string[] {
  return name === configMapName && namespace !== undefined ? [namespace] : []
}
