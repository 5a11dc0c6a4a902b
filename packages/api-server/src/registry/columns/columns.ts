/**
 * Which columns belong to which resource: what `kubectl get` prints. Upstream has them in printers/internalversion.
 */

import type { Column } from '../resource-definition.ts'
import * as cluster from './cluster.ts'
import { createdAtColumn, nameColumn } from './column.ts'
import * as networking from './networking.ts'
import { podColumns } from './pods.ts'
import * as policy from './policy.ts'
import * as storage from './storage.ts'
import * as workloads from './workloads.ts'

const columns: Record<string, Column[]> = {
  '/pods': podColumns,
  '/podtemplates': workloads.podTemplateColumns,
  '/replicationcontrollers': workloads.replicationControllerColumns,
  'apps/deployments': workloads.deploymentColumns,
  'apps/replicasets': workloads.replicaSetColumns,
  'apps/statefulsets': workloads.statefulSetColumns,
  'apps/daemonsets': workloads.daemonSetColumns,
  'apps/controllerrevisions': workloads.controllerRevisionColumns,
  'batch/jobs': workloads.jobColumns,
  'batch/cronjobs': workloads.cronJobColumns,
  'autoscaling/horizontalpodautoscalers': workloads.horizontalPodAutoscalerColumns,
  'policy/poddisruptionbudgets': workloads.podDisruptionBudgetColumns,

  '/services': networking.serviceColumns,
  '/endpoints': networking.endpointsColumns,
  'discovery.k8s.io/endpointslices': networking.endpointSliceColumns,
  'networking.k8s.io/ingresses': networking.ingressColumns,
  'networking.k8s.io/ingressclasses': networking.ingressClassColumns,
  'networking.k8s.io/networkpolicies': networking.networkPolicyColumns,
  'networking.k8s.io/ipaddresses': networking.ipAddressColumns,
  'networking.k8s.io/servicecidrs': networking.serviceCidrColumns,

  '/nodes': cluster.nodeColumns,
  '/namespaces': cluster.namespaceColumns,
  '/events': cluster.eventColumns,
  '/configmaps': cluster.configMapColumns,
  '/secrets': cluster.secretColumns,
  '/serviceaccounts': cluster.serviceAccountColumns,
  '/resourcequotas': cluster.resourceQuotaColumns,
  '/componentstatuses': cluster.componentStatusColumns,
  'coordination.k8s.io/leases': cluster.leaseColumns,
  'scheduling.k8s.io/priorityclasses': cluster.priorityClassColumns,
  'node.k8s.io/runtimeclasses': cluster.runtimeClassColumns,

  '/persistentvolumes': storage.persistentVolumeColumns,
  '/persistentvolumeclaims': storage.persistentVolumeClaimColumns,
  'storage.k8s.io/storageclasses': storage.storageClassColumns,
  'storage.k8s.io/volumeattachments': storage.volumeAttachmentColumns,
  'storage.k8s.io/csidrivers': storage.csiDriverColumns,
  'storage.k8s.io/csinodes': storage.csiNodeColumns,
  'storage.k8s.io/csistoragecapacities': storage.csiStorageCapacityColumns,

  'rbac.authorization.k8s.io/rolebindings': policy.roleBindingColumns,
  'rbac.authorization.k8s.io/clusterrolebindings': policy.roleBindingColumns,
  'certificates.k8s.io/certificatesigningrequests': policy.certificateSigningRequestColumns,
  'admissionregistration.k8s.io/mutatingwebhookconfigurations': policy.webhookConfigurationColumns,
  'admissionregistration.k8s.io/validatingwebhookconfigurations': policy.webhookConfigurationColumns,
  'admissionregistration.k8s.io/validatingadmissionpolicies': policy.validatingAdmissionPolicyColumns,
  'admissionregistration.k8s.io/validatingadmissionpolicybindings': policy.validatingAdmissionPolicyBindingColumns,
  'flowcontrol.apiserver.k8s.io/flowschemas': policy.flowSchemaColumns,
  'flowcontrol.apiserver.k8s.io/prioritylevelconfigurations': policy.priorityLevelColumns,
  'apiregistration.k8s.io/apiservices': policy.apiServiceColumns,
}

/** Kinds that upstream has no printer for – Roles, LimitRanges, CRDs – show when they were created. */
const defaultColumns = [nameColumn, createdAtColumn]

export function columnsOf(group: string, plural: string): Column[] {
  return columns[`${group}/${plural}`] ?? defaultColumns
}
