/**
 * The resources that our own components read and write, as typed values: `client.get(Pods, …)` knows that it
 * returns a Pod and which path to ask. The API server does not use this list: it serves every kind that its
 * ResourceDefinitions name, custom ones included.
 */
import type {
  CSIDriver,
  CSINode,
  CertificateSigningRequest,
  ClusterRole,
  ClusterRoleBinding,
  ConfigMap,
  ControllerRevision,
  CronJob,
  CustomResourceDefinition,
  DaemonSet,
  Deployment,
  EndpointSlice,
  Endpoints,
  Event,
  FlowSchema,
  HorizontalPodAutoscaler,
  Ingress,
  IngressClass,
  Job,
  KubernetesObject,
  Lease,
  LimitRange,
  MutatingWebhookConfiguration,
  Namespace,
  NetworkPolicy,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  PodDisruptionBudget,
  PriorityClass,
  PriorityLevelConfiguration,
  ReplicaSet,
  ReplicationController,
  ResourceQuota,
  Role,
  RuntimeClass,
  Secret,
  Service,
  ServiceAccount,
  StatefulSet,
  StorageClass,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
  VolumeAttachment,
} from './types.ts'

/** One resource: where it lives in the API, and (for the compiler only) what its objects look like. */
export interface Resource<T extends KubernetesObject = KubernetesObject> {
  /** The API group; '' is the core group. */
  group: string
  version: string
  kind: string
  plural: string
  namespaced: boolean
  /** Never set; it carries T for type inference. */
  readonly _type?: T
}

/** "v1" for the core group, otherwise "group/version". */
export function apiVersionOf(resource: { group: string; version: string }): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`
}

/**
 * The URL path of a collection, an object or a subresource, e.g.
 * /apis/apps/v1/namespaces/default/deployments/web/scale.
 */
export function resourcePath(resource: Resource, namespace?: string, name?: string, subresource?: string): string {
  const parts = [resource.group === '' ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`]
  if (resource.namespaced && namespace !== undefined && namespace !== '') {
    parts.push('namespaces', encodeURIComponent(namespace))
  }
  parts.push(resource.plural)
  if (name !== undefined) parts.push(encodeURIComponent(name))
  if (subresource !== undefined) parts.push(subresource)
  return parts.join('/')
}

function define<T extends KubernetesObject>(
  group: string,
  version: string,
  kind: string,
  plural: string,
  scope: 'namespaced' | 'cluster' = 'namespaced',
): Resource<T> {
  return { group, version, kind, plural, namespaced: scope === 'namespaced' }
}

export const Pods = define<Pod>('', 'v1', 'Pod', 'pods')
export const Nodes = define<Node>('', 'v1', 'Node', 'nodes', 'cluster')
export const Namespaces = define<Namespace>('', 'v1', 'Namespace', 'namespaces', 'cluster')
export const Services = define<Service>('', 'v1', 'Service', 'services')
/** Named so because `Endpoints` is already the plural of its own kind. */
export const EndpointsResource = define<Endpoints>('', 'v1', 'Endpoints', 'endpoints')
export const ConfigMaps = define<ConfigMap>('', 'v1', 'ConfigMap', 'configmaps')
export const Secrets = define<Secret>('', 'v1', 'Secret', 'secrets')
export const ServiceAccounts = define<ServiceAccount>('', 'v1', 'ServiceAccount', 'serviceaccounts')
export const Events = define<Event>('', 'v1', 'Event', 'events')
export const LimitRanges = define<LimitRange>('', 'v1', 'LimitRange', 'limitranges')
export const ResourceQuotas = define<ResourceQuota>('', 'v1', 'ResourceQuota', 'resourcequotas')
export const PersistentVolumes = define<PersistentVolume>('', 'v1', 'PersistentVolume', 'persistentvolumes', 'cluster')
export const PersistentVolumeClaims = define<PersistentVolumeClaim>(
  '',
  'v1',
  'PersistentVolumeClaim',
  'persistentvolumeclaims',
)
export const ReplicationControllers = define<ReplicationController>(
  '',
  'v1',
  'ReplicationController',
  'replicationcontrollers',
)

export const Deployments = define<Deployment>('apps', 'v1', 'Deployment', 'deployments')
export const ReplicaSets = define<ReplicaSet>('apps', 'v1', 'ReplicaSet', 'replicasets')
export const DaemonSets = define<DaemonSet>('apps', 'v1', 'DaemonSet', 'daemonsets')
export const StatefulSets = define<StatefulSet>('apps', 'v1', 'StatefulSet', 'statefulsets')
export const ControllerRevisions = define<ControllerRevision>('apps', 'v1', 'ControllerRevision', 'controllerrevisions')
export const Jobs = define<Job>('batch', 'v1', 'Job', 'jobs')
export const CronJobs = define<CronJob>('batch', 'v1', 'CronJob', 'cronjobs')
export const HorizontalPodAutoscalers = define<HorizontalPodAutoscaler>(
  'autoscaling',
  'v2',
  'HorizontalPodAutoscaler',
  'horizontalpodautoscalers',
)
export const PodDisruptionBudgets = define<PodDisruptionBudget>(
  'policy',
  'v1',
  'PodDisruptionBudget',
  'poddisruptionbudgets',
)

export const EndpointSlices = define<EndpointSlice>('discovery.k8s.io', 'v1', 'EndpointSlice', 'endpointslices')
export const Leases = define<Lease>('coordination.k8s.io', 'v1', 'Lease', 'leases')
export const Ingresses = define<Ingress>('networking.k8s.io', 'v1', 'Ingress', 'ingresses')
export const IngressClasses = define<IngressClass>(
  'networking.k8s.io',
  'v1',
  'IngressClass',
  'ingressclasses',
  'cluster',
)
export const NetworkPolicies = define<NetworkPolicy>('networking.k8s.io', 'v1', 'NetworkPolicy', 'networkpolicies')

export const StorageClasses = define<StorageClass>('storage.k8s.io', 'v1', 'StorageClass', 'storageclasses', 'cluster')
export const VolumeAttachments = define<VolumeAttachment>(
  'storage.k8s.io',
  'v1',
  'VolumeAttachment',
  'volumeattachments',
  'cluster',
)
export const CSIDrivers = define<CSIDriver>('storage.k8s.io', 'v1', 'CSIDriver', 'csidrivers', 'cluster')
export const CSINodes = define<CSINode>('storage.k8s.io', 'v1', 'CSINode', 'csinodes', 'cluster')
export const PriorityClasses = define<PriorityClass>(
  'scheduling.k8s.io',
  'v1',
  'PriorityClass',
  'priorityclasses',
  'cluster',
)
export const RuntimeClasses = define<RuntimeClass>('node.k8s.io', 'v1', 'RuntimeClass', 'runtimeclasses', 'cluster')

const rbacGroup = 'rbac.authorization.k8s.io'
export const Roles = define<Role>(rbacGroup, 'v1', 'Role', 'roles')
export const ClusterRoles = define<ClusterRole>(rbacGroup, 'v1', 'ClusterRole', 'clusterroles', 'cluster')
export const ClusterRoleBindings = define<ClusterRoleBinding>(
  rbacGroup,
  'v1',
  'ClusterRoleBinding',
  'clusterrolebindings',
  'cluster',
)
export const CertificateSigningRequests = define<CertificateSigningRequest>(
  'certificates.k8s.io',
  'v1',
  'CertificateSigningRequest',
  'certificatesigningrequests',
  'cluster',
)
export const CustomResourceDefinitions = define<CustomResourceDefinition>(
  'apiextensions.k8s.io',
  'v1',
  'CustomResourceDefinition',
  'customresourcedefinitions',
  'cluster',
)

const admissionGroup = 'admissionregistration.k8s.io'
export const MutatingWebhookConfigurations = define<MutatingWebhookConfiguration>(
  admissionGroup,
  'v1',
  'MutatingWebhookConfiguration',
  'mutatingwebhookconfigurations',
  'cluster',
)
export const ValidatingWebhookConfigurations = define<ValidatingWebhookConfiguration>(
  admissionGroup,
  'v1',
  'ValidatingWebhookConfiguration',
  'validatingwebhookconfigurations',
  'cluster',
)
export const ValidatingAdmissionPolicies = define<ValidatingAdmissionPolicy>(
  admissionGroup,
  'v1',
  'ValidatingAdmissionPolicy',
  'validatingadmissionpolicies',
  'cluster',
)
export const ValidatingAdmissionPolicyBindings = define<ValidatingAdmissionPolicyBinding>(
  admissionGroup,
  'v1',
  'ValidatingAdmissionPolicyBinding',
  'validatingadmissionpolicybindings',
  'cluster',
)

const flowControlGroup = 'flowcontrol.apiserver.k8s.io'
export const FlowSchemas = define<FlowSchema>(flowControlGroup, 'v1', 'FlowSchema', 'flowschemas', 'cluster')
export const PriorityLevelConfigurations = define<PriorityLevelConfiguration>(
  flowControlGroup,
  'v1',
  'PriorityLevelConfiguration',
  'prioritylevelconfigurations',
  'cluster',
)
