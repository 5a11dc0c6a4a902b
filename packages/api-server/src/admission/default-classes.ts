/**
 * DefaultStorageClass and DefaultIngressClass: claims and Ingresses that name no class get the one that is marked as
 * the default, if there is one. Of several defaults the newest storage class counts; several ingress classes are an
 * error.
 */

import { forbidden } from '@dinghy/shared/api/errors'
import { IngressClasses, StorageClasses } from '@dinghy/shared/api/resources'
import type { Ingress, KubernetesObject, PersistentVolumeClaim } from '@dinghy/shared/api/types'
import type { Reader } from '../registry/reader.ts'
import type { AdmissionPlugin } from '../registry/admission.ts'
import { isAbout } from '../registry/admission.ts'

export function defaultStorageClass(reader: Reader): AdmissionPlugin {
  return {
    name: 'DefaultStorageClass',
    admit(request) {
      if (request.operation !== 'CREATE' || !isAbout(request, '', 'persistentvolumeclaims')) return
      const { metadata, spec } = request.object as PersistentVolumeClaim
      const isChosen =
        spec.storageClassName !== undefined || metadata.annotations?.['volume.beta.kubernetes.io/storage-class']
      if (isChosen) return
      const [newest] = marked(reader.list(StorageClasses), 'storageclass.kubernetes.io/is-default-class').sort(
        newestFirst,
      )
      if (newest) spec.storageClassName = newest.metadata.name
    },
  }
}

export function defaultIngressClass(reader: Reader): AdmissionPlugin {
  return {
    name: 'DefaultIngressClass',
    admit(request) {
      if (request.operation !== 'CREATE' || !isAbout(request, 'networking.k8s.io', 'ingresses')) return
      const { metadata, spec } = request.object as Ingress
      if (spec.ingressClassName !== undefined || metadata.annotations?.['kubernetes.io/ingress.class']) return
      const classes = marked(reader.list(IngressClasses), 'ingressclass.kubernetes.io/is-default-class')
      if (classes.length > 1) {
        const message = `${classes.length} default IngressClasses were found, only 1 allowed`
        throw forbidden('networking.k8s.io', 'ingresses', metadata.name, message)
      }
      if (classes[0]) spec.ingressClassName = classes[0].metadata.name
    },
  }
}

function marked<T extends KubernetesObject>(classes: T[], annotation: string): T[] {
  return classes.filter(({ metadata }) => metadata.annotations?.[annotation] === 'true')
}

function newestFirst(a: KubernetesObject, b: KubernetesObject): number {
  const byTime = b.metadata.creationTimestamp.localeCompare(a.metadata.creationTimestamp)
  return byTime || a.metadata.name.localeCompare(b.metadata.name)
}
