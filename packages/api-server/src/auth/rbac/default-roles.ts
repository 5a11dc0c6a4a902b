/**
 * The roles of every cluster but those of its controllers, as Kubernetes 1.33 makes them (with its stable and default
 * features), one rule a line: verbs, API groups, resources, and names if the rule has some; or verbs and paths.
 *
 *   read core pods,services               get, list and watch, in the group without a name
 *   get,update coordination.k8s.io leases kube-scheduler
 *   get /healthz,/version
 *
 * `read`, `write` and `all` stand for the verbs that policy-line.ts lists.
 */

import { events } from './controller-roles.ts'

const reviews = [
  'create authentication.k8s.io tokenreviews',
  'create authorization.k8s.io subjectaccessreviews',
] as const

const gatewayDefinitions = ['gatewayclasses', 'gateways', 'grpcroutes', 'httproutes', 'referencegrants']
  .map((plural) => `${plural}.gateway.networking.k8s.io`)
  .join()

export const clusterRoleRules: Record<string, readonly string[]> = {
  'cluster-admin': ['* * *', '* *'],
  'system:discovery': ['get /api,/api/*,/apis,/apis/*,/healthz,/livez,/openapi,/openapi/*,/readyz,/version,/version/'],
  'system:monitoring': ['get /healthz,/healthz/*,/livez,/livez/*,/metrics,/metrics/slis,/readyz,/readyz/*'],
  'system:basic-user': [
    'create authorization.k8s.io selfsubjectaccessreviews,selfsubjectrulesreviews',
    'create authentication.k8s.io selfsubjectreviews',
  ],
  'system:public-info-viewer': ['get /healthz,/livez,/readyz,/version,/version/'],
  'system:service-account-issuer-discovery': ['get /.well-known/openid-configuration,/openid/v1/jwks'],
  'system:aggregate-to-admin': [
    'create authorization.k8s.io localsubjectaccessreviews',
    'all rbac.authorization.k8s.io rolebindings,roles',
  ],
  'system:aggregate-to-edit': [
    'read core pods/attach,pods/exec,pods/portforward,pods/proxy,secrets,services/proxy',
    'impersonate core serviceaccounts',
    'write core pods,pods/attach,pods/exec,pods/portforward,pods/proxy',
    'create core pods/eviction',
    'write core configmaps,events,persistentvolumeclaims,replicationcontrollers,replicationcontrollers/scale,secrets,serviceaccounts,services,services/proxy',
    'create core serviceaccounts/token',
    'write apps daemonsets,deployments,deployments/rollback,deployments/scale,replicasets,replicasets/scale,statefulsets,statefulsets/scale',
    'write autoscaling horizontalpodautoscalers',
    'write batch cronjobs,jobs',
    'write extensions daemonsets,deployments,deployments/rollback,deployments/scale,ingresses,networkpolicies,replicasets,replicasets/scale,replicationcontrollers/scale',
    'write policy poddisruptionbudgets',
    'write networking.k8s.io ingresses,networkpolicies',
    'all coordination.k8s.io leases',
  ],
  'system:aggregate-to-view': [
    'read core configmaps,endpoints,persistentvolumeclaims,persistentvolumeclaims/status,pods,replicationcontrollers,replicationcontrollers/scale,serviceaccounts,services,services/status',
    'read core bindings,events,limitranges,namespaces/status,pods/log,pods/status,replicationcontrollers/status,resourcequotas,resourcequotas/status',
    'read core namespaces',
    'read discovery.k8s.io endpointslices',
    'read apps controllerrevisions,daemonsets,daemonsets/status,deployments,deployments/scale,deployments/status,replicasets,replicasets/scale,replicasets/status,statefulsets,statefulsets/scale,statefulsets/status',
    'read autoscaling horizontalpodautoscalers,horizontalpodautoscalers/status',
    'read batch cronjobs,cronjobs/status,jobs,jobs/status',
    'read extensions daemonsets,daemonsets/status,deployments,deployments/scale,deployments/status,ingresses,ingresses/status,networkpolicies,replicasets,replicasets/scale,replicasets/status,replicationcontrollers/scale',
    'read policy poddisruptionbudgets,poddisruptionbudgets/status',
    'read networking.k8s.io ingresses,ingresses/status,networkpolicies',
  ],
  'system:heapster': ['read core events,namespaces,nodes,pods', 'read extensions deployments'],
  'system:node': [
    'create authentication.k8s.io tokenreviews',
    'create authorization.k8s.io localsubjectaccessreviews,subjectaccessreviews',
    'read core services',
    'create,get,list,watch core nodes',
    'patch,update core nodes/status',
    'patch,update core nodes',
    'create,patch,update core events',
    'read core pods',
    'create,delete core pods',
    'patch,update core pods/status',
    'create core pods/eviction',
    'read core configmaps,secrets',
    'get core persistentvolumeclaims,persistentvolumes',
    'get core endpoints',
    'create,get,list,watch certificates.k8s.io certificatesigningrequests',
    'create,delete,get,patch,update coordination.k8s.io leases',
    'get storage.k8s.io volumeattachments',
    'create core serviceaccounts/token',
    'get,patch,update core persistentvolumeclaims/status',
    'read storage.k8s.io csidrivers',
    'create,delete,get,patch,update storage.k8s.io csinodes',
    'read node.k8s.io runtimeclasses',
  ],
  'system:node-problem-detector': ['get core nodes', 'patch core nodes/status', events],
  'system:kubelet-api-admin': [
    'read core nodes',
    'proxy core nodes',
    '* core nodes/log,nodes/metrics,nodes/proxy,nodes/stats',
    '* core nodes/configz,nodes/healthz,nodes/pods',
  ],
  'system:node-bootstrapper': ['create,get,list,watch certificates.k8s.io certificatesigningrequests'],
  'system:auth-delegator': reviews,
  'system:kube-aggregator': ['read core endpoints,services'],
  'system:kube-controller-manager': [
    events,
    'create coordination.k8s.io leases',
    'get,update coordination.k8s.io leases kube-controller-manager',
    'create core secrets,serviceaccounts',
    'delete core secrets',
    'get core configmaps,namespaces,secrets,serviceaccounts',
    'update core secrets,serviceaccounts',
    ...reviews,
    'list,watch * *',
    'create core serviceaccounts/token',
  ],
  // metrics-server's, whose place this server takes (../../aggregation/metrics-api.ts).
  'system:aggregated-metrics-reader': ['read metrics.k8s.io nodes,pods'],
  // What upstream's network plugins are granted: they enforce NetworkPolicies, as our proxies do.
  'dinghy:network-policy-agent': ['list,watch core namespaces,pods', 'list,watch networking.k8s.io networkpolicies'],
  'system:kube-dns': ['list,watch core endpoints,services'],
  'system:coredns': [
    'list,watch core endpoints,namespaces,pods,services',
    'list,watch discovery.k8s.io endpointslices',
  ],
  // Not upstream's: what an ingress controller and its own objects need (packages/ingress).
  'dinghy:ingress': [
    'list,watch core namespaces,secrets,services',
    'list,watch discovery.k8s.io endpointslices',
    'list,watch networking.k8s.io ingressclasses,ingresses',
    'update networking.k8s.io ingresses/status',
    'list,watch gateway.networking.k8s.io gatewayclasses,gateways,grpcroutes,httproutes,referencegrants',
    'update gateway.networking.k8s.io gatewayclasses/status,gateways/status,grpcroutes/status,httproutes/status',
    'create networking.k8s.io ingressclasses',
    'create gateway.networking.k8s.io gatewayclasses',
    'create apiextensions.k8s.io customresourcedefinitions',
    `get,update apiextensions.k8s.io customresourcedefinitions ${gatewayDefinitions}`,
    events,
  ],
  'system:persistent-volume-provisioner': [
    'create,delete,get,list,watch core persistentvolumes',
    'get,list,update,watch core persistentvolumeclaims',
    'read storage.k8s.io storageclasses',
    'watch core events',
    events,
  ],
  'system:certificates.k8s.io:certificatesigningrequests:nodeclient': [
    'create certificates.k8s.io certificatesigningrequests/nodeclient',
  ],
  'system:certificates.k8s.io:certificatesigningrequests:selfnodeclient': [
    'create certificates.k8s.io certificatesigningrequests/selfnodeclient',
  ],
  'system:certificates.k8s.io:legacy-unknown-approver': [
    'approve certificates.k8s.io signers kubernetes.io/legacy-unknown',
  ],
  'system:certificates.k8s.io:kubelet-serving-approver': [
    'approve certificates.k8s.io signers kubernetes.io/kubelet-serving',
  ],
  'system:certificates.k8s.io:kube-apiserver-client-approver': [
    'approve certificates.k8s.io signers kubernetes.io/kube-apiserver-client',
  ],
  'system:certificates.k8s.io:kube-apiserver-client-kubelet-approver': [
    'approve certificates.k8s.io signers kubernetes.io/kube-apiserver-client-kubelet',
  ],
  'system:volume-scheduler': [
    'get,list,patch,update,watch core persistentvolumes',
    'read storage.k8s.io storageclasses',
    'get,list,patch,update,watch core persistentvolumeclaims',
  ],
  'system:node-proxier': [
    'list,watch core endpoints,services',
    'read core nodes',
    events,
    'list,watch discovery.k8s.io endpointslices',
  ],
  'system:kube-scheduler': [
    events,
    'create coordination.k8s.io leases',
    'get,update coordination.k8s.io leases kube-scheduler',
    'read core nodes',
    'delete,get,list,watch core pods',
    'create core bindings,pods/binding',
    'patch,update core pods/status',
    'read core replicationcontrollers,services',
    'read apps,extensions replicasets',
    'read apps statefulsets',
    'read policy poddisruptionbudgets',
    'read core persistentvolumeclaims,persistentvolumes',
    ...reviews,
    'read storage.k8s.io csinodes',
    'read core namespaces',
    'read storage.k8s.io csidrivers',
    'read storage.k8s.io csistoragecapacities',
  ],
}

/** What is labelled to become part of admin, edit or view. */
export const aggregatedInto: Record<string, string> = {
  edit: 'admin',
  view: 'edit',
  'system:aggregate-to-admin': 'admin',
  'system:aggregate-to-edit': 'edit',
  'system:aggregate-to-view': 'view',
  'system:aggregated-metrics-reader': 'view',
}

/** By namespace and name. */
export const namespacedRules: Record<string, readonly string[]> = {
  'kube-system/extension-apiserver-authentication-reader': ['read core configmaps extension-apiserver-authentication'],
  'kube-system/system::leader-locking-kube-controller-manager': [
    'watch core configmaps',
    'get,update core configmaps kube-controller-manager',
  ],
  'kube-system/system::leader-locking-kube-scheduler': [
    'watch core configmaps',
    'get,update core configmaps kube-scheduler',
  ],
  'kube-system/system:controller:bootstrap-signer': ['read core secrets'],
  'kube-system/system:controller:cloud-provider': ['create,get,list,watch core configmaps'],
  'kube-system/system:controller:token-cleaner': ['delete,get,list,watch core secrets', events],
  'kube-public/system:controller:bootstrap-signer': [
    'read core configmaps',
    'update core configmaps cluster-info',
    events,
  ],
}
