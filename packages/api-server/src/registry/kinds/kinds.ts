/**
 * Which rules belong to which resource. A kind's file exports its KindRules; this is the only place that lists them.
 */

import { apiServices } from './api-service.ts'
import { certificateSigningRequests } from './certificate-signing-request.ts'
import { configMaps, secrets } from './config-map.ts'
import { cronJobs } from './cron-job.ts'
import { csiDrivers, csiNodes, csiStorageCapacities } from './csi.ts'
import { customResourceDefinitions } from './custom-resource-definition.ts'
import { daemonSets } from './daemon-set.ts'
import { deployments } from './deployment.ts'
import { endpoints, endpointSlices } from './endpoints.ts'
import { events } from './event.ts'
import { flowSchemas } from './flow-schema.ts'
import { horizontalPodAutoscalers } from './horizontal-pod-autoscaler.ts'
import { ingressClasses } from './ingress-class.ts'
import { ingresses, networkPolicies } from './ingress.ts'
import { jobs } from './job.ts'
import { limitRanges } from './limit-range.ts'
import { namespaces } from './namespace.ts'
import { nodes } from './node.ts'
import { persistentVolumeClaims } from './persistent-volume-claim.ts'
import { persistentVolumes } from './persistent-volume.ts'
import { pods, podTemplates } from './pod.ts'
import type { KindRules } from './kind-rules.ts'
import { leases, podDisruptionBudgets, priorityClasses } from './policy.ts'
import { priorityLevelConfigurations } from './priority-level-configuration.ts'
import { clusterRoleBindings, clusterRoles, roleBindings, roles } from './rbac.ts'
import { replicaSets, replicationControllers } from './replica-set.ts'
import { resourceQuotas } from './resource-quota.ts'
import { runtimeClasses } from './runtime-class.ts'
import { serviceAccounts } from './service-account.ts'
import { services } from './service.ts'
import { ipAddresses, serviceCidrs } from './service-cidr.ts'
import { controllerRevisions, statefulSets } from './stateful-set.ts'
import { storageClasses } from './storage-class.ts'
import { validatingAdmissionPolicies, validatingAdmissionPolicyBindings } from './validating-admission-policy.ts'
import { volumeAttachments } from './volume-attachment.ts'
import { mutatingWebhookConfigurations, validatingWebhookConfigurations } from './webhook-configuration.ts'

const rules: Record<string, KindRules> = {
  '/pods': pods,
  '/podtemplates': podTemplates,
  '/replicationcontrollers': replicationControllers,
  'apps/deployments': deployments,
  'apps/replicasets': replicaSets,
  'apps/statefulsets': statefulSets,
  'apps/daemonsets': daemonSets,
  'apps/controllerrevisions': controllerRevisions,
  'batch/jobs': jobs,
  'batch/cronjobs': cronJobs,
  'autoscaling/horizontalpodautoscalers': horizontalPodAutoscalers,

  '/services': services,
  '/endpoints': endpoints,
  'discovery.k8s.io/endpointslices': endpointSlices,
  'networking.k8s.io/ingresses': ingresses,
  'networking.k8s.io/ingressclasses': ingressClasses,
  'networking.k8s.io/networkpolicies': networkPolicies,
  'networking.k8s.io/servicecidrs': serviceCidrs,
  'networking.k8s.io/ipaddresses': ipAddresses,

  '/componentstatuses': { deprecation: 'v1 ComponentStatus is deprecated in v1.19+' },
  '/nodes': nodes,
  '/namespaces': namespaces,
  '/configmaps': configMaps,
  '/secrets': secrets,
  '/serviceaccounts': serviceAccounts,
  '/events': events,
  'events.k8s.io/events': events,
  'coordination.k8s.io/leases': leases,

  '/persistentvolumes': persistentVolumes,
  '/persistentvolumeclaims': persistentVolumeClaims,
  'storage.k8s.io/storageclasses': storageClasses,
  'storage.k8s.io/volumeattachments': volumeAttachments,
  'storage.k8s.io/csidrivers': csiDrivers,
  'storage.k8s.io/csinodes': csiNodes,
  'storage.k8s.io/csistoragecapacities': csiStorageCapacities,

  '/resourcequotas': resourceQuotas,
  '/limitranges': limitRanges,
  'policy/poddisruptionbudgets': podDisruptionBudgets,
  'scheduling.k8s.io/priorityclasses': priorityClasses,
  'rbac.authorization.k8s.io/roles': roles,
  'rbac.authorization.k8s.io/rolebindings': roleBindings,
  'rbac.authorization.k8s.io/clusterroles': clusterRoles,
  'rbac.authorization.k8s.io/clusterrolebindings': clusterRoleBindings,
  'certificates.k8s.io/certificatesigningrequests': certificateSigningRequests,

  'admissionregistration.k8s.io/mutatingwebhookconfigurations': mutatingWebhookConfigurations,
  'admissionregistration.k8s.io/validatingadmissionpolicies': validatingAdmissionPolicies,
  'admissionregistration.k8s.io/validatingadmissionpolicybindings': validatingAdmissionPolicyBindings,
  'admissionregistration.k8s.io/validatingwebhookconfigurations': validatingWebhookConfigurations,
  'apiregistration.k8s.io/apiservices': apiServices,
  'apiextensions.k8s.io/customresourcedefinitions': customResourceDefinitions,
  'flowcontrol.apiserver.k8s.io/flowschemas': flowSchemas,
  'flowcontrol.apiserver.k8s.io/prioritylevelconfigurations': priorityLevelConfigurations,
  'node.k8s.io/runtimeclasses': runtimeClasses,
}

export function rulesOf(group: string, plural: string): KindRules {
  return rules[`${group}/${plural}`] ?? {}
}
