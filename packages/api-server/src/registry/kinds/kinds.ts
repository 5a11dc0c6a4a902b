/**
 * Which rules belong to which resource. A kind's file exports its KindRules; this is the only place that lists them.
 */

import { certificateSigningRequests } from './certificate-signing-request.ts'
import { configMaps, secrets } from './config-map.ts'
import { cronJobs } from './cron-job.ts'
import { daemonSets } from './daemon-set.ts'
import { deployments } from './deployment.ts'
import { endpoints, endpointSlices } from './endpoints.ts'
import { events } from './event.ts'
import { horizontalPodAutoscalers } from './horizontal-pod-autoscaler.ts'
import { ingressClasses, ingresses, networkPolicies } from './ingress.ts'
import { jobs } from './job.ts'
import { namespaces } from './namespace.ts'
import { nodes } from './node.ts'
import { persistentVolumeClaims } from './persistent-volume-claim.ts'
import { persistentVolumes, storageClasses } from './persistent-volume.ts'
import { pods, podTemplates } from './pod.ts'
import type { KindRules } from './kind-rules.ts'
import { leases, limitRanges, podDisruptionBudgets, priorityClasses, resourceQuotas } from './policy.ts'
import { clusterRoleBindings, clusterRoles, roleBindings, roles } from './rbac.ts'
import { replicaSets, replicationControllers } from './replica-set.ts'
import { services } from './service.ts'
import { controllerRevisions, statefulSets } from './stateful-set.ts'

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

  '/nodes': nodes,
  '/namespaces': namespaces,
  '/configmaps': configMaps,
  '/secrets': secrets,
  '/events': events,
  'events.k8s.io/events': events,
  'coordination.k8s.io/leases': leases,

  '/persistentvolumes': persistentVolumes,
  '/persistentvolumeclaims': persistentVolumeClaims,
  'storage.k8s.io/storageclasses': storageClasses,

  '/resourcequotas': resourceQuotas,
  '/limitranges': limitRanges,
  'policy/poddisruptionbudgets': podDisruptionBudgets,
  'scheduling.k8s.io/priorityclasses': priorityClasses,
  'rbac.authorization.k8s.io/roles': roles,
  'rbac.authorization.k8s.io/rolebindings': roleBindings,
  'rbac.authorization.k8s.io/clusterroles': clusterRoles,
  'rbac.authorization.k8s.io/clusterrolebindings': clusterRoleBindings,
  'certificates.k8s.io/certificatesigningrequests': certificateSigningRequests,
}

export function rulesOf(group: string, plural: string): KindRules {
  return rules[`${group}/${plural}`] ?? {}
}
