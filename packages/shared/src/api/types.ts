/**
 * The Kubernetes objects as TypeScript sees them: the published types of `kubernetes-types`, tightened to
 * what our API server really stores and serves. A *stored* object always has its apiVersion and kind, its
 * server-set metadata (uid, resourceVersion, creationTimestamp) and, where the kind has them, spec and status;
 * so readers need no `?.` for what is always there. A *draft* is what a client sends to create one.
 *
 * Types only: this file vanishes at run time. Only the API server guarantees the promises made here, so an
 * object that did not come from it (a manifest on disk) is a draft, never a stored one.
 */
import type * as admissionregistration from 'kubernetes-types/admissionregistration/v1.js'
import type * as apiextensions from 'kubernetes-types/apiextensions/v1.js'
import type * as apps from 'kubernetes-types/apps/v1.js'
import type * as autoscaling from 'kubernetes-types/autoscaling/v2.js'
import type * as batch from 'kubernetes-types/batch/v1.js'
import type * as certificates from 'kubernetes-types/certificates/v1.js'
import type * as coordination from 'kubernetes-types/coordination/v1.js'
import type * as core from 'kubernetes-types/core/v1.js'
import type * as discovery from 'kubernetes-types/discovery/v1.js'
import type * as flowcontrol from 'kubernetes-types/flowcontrol/v1.js'
import type * as meta from 'kubernetes-types/meta/v1.js'
import type * as networking from 'kubernetes-types/networking/v1.js'
import type * as node from 'kubernetes-types/node/v1.js'
import type * as policy from 'kubernetes-types/policy/v1.js'
import type * as rbac from 'kubernetes-types/rbac/v1.js'
import type * as scheduling from 'kubernetes-types/scheduling/v1.js'
import type * as storage from 'kubernetes-types/storage/v1.js'

export interface OwnerReference {
  apiVersion: string
  kind: string
  name: string
  uid: string
  controller?: boolean
  blockOwnerDeletion?: boolean
}

/** Metadata of a stored object. The times are RFC 3339 text, resourceVersion is the store's revision in decimal. */
export interface ObjectMeta {
  name: string
  namespace?: string
  generateName?: string
  uid: string
  resourceVersion: string
  creationTimestamp: string
  /** Counts changes of the spec, for kinds that have one. */
  generation?: number
  labels?: Record<string, string>
  annotations?: Record<string, string>
  ownerReferences?: OwnerReference[]
  finalizers?: string[]
  /** Set once by the server when deletion has been asked for; never unset. */
  deletionTimestamp?: string
  deletionGracePeriodSeconds?: number
  managedFields?: meta.ManagedFieldsEntry[]
}

/** Any stored object. */
export interface KubernetesObject {
  apiVersion: string
  kind: string
  metadata: ObjectMeta
}

/** The parts of an object that the server owns or always fills in, which Stored replaces by stricter ones. */
type Envelope = 'apiVersion' | 'kind' | 'metadata' | 'spec' | 'status'

/** T as the API server serves it. */
export type Stored<T> = KubernetesObject & { -readonly [K in keyof T as K extends Envelope ? never : K]: T[K] } & {
  -readonly [K in keyof T as K extends 'spec' | 'status' ? K : never]-?: NonNullable<T[K]>
}

/** Metadata that a client may send: a name or a generateName, and nothing that only the server may set. */
export type DraftMeta = Partial<
  Omit<ObjectMeta, 'resourceVersion' | 'creationTimestamp' | 'deletionTimestamp' | 'deletionGracePeriodSeconds'>
> &
  ({ name: string } | { generateName: string })

/** What a client sends to create a T; apiVersion and kind are filled in by the client from the resource. */
export type Draft<T extends KubernetesObject> = { [K in keyof T as K extends Envelope ? never : K]: T[K] } & {
  apiVersion?: string
  kind?: string
  metadata: DraftMeta
} & SpecOf<T> &
  StatusOf<T>

/** The spec may be left out only where an empty one would do. */
type SpecOf<T> = T extends { spec: infer S } ? ({} extends S ? { spec?: S } : { spec: S }) : unknown
type StatusOf<T> = T extends { status: infer S } ? { status?: S } : unknown

/** A watch event as it arrives over the wire. */
export interface WatchEvent<T> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  object: T
}

// core/v1
export type Pod = Stored<core.Pod>
export type PodTemplate = Stored<core.PodTemplate>
export type Node = Stored<core.Node>
export type Namespace = Stored<core.Namespace>
export type Service = Stored<core.Service>
export type Endpoints = Stored<core.Endpoints>
export type ConfigMap = Stored<core.ConfigMap>
export type Secret = Stored<core.Secret>
export type ServiceAccount = Stored<core.ServiceAccount>
export type Event = Stored<core.Event>
export type LimitRange = Stored<core.LimitRange>
export type ResourceQuota = Stored<core.ResourceQuota>
export type PersistentVolume = Stored<core.PersistentVolume>
export type PersistentVolumeClaim = Stored<core.PersistentVolumeClaim>
export type ReplicationController = Stored<core.ReplicationController>

// apps, batch, autoscaling, policy
export type Deployment = Stored<apps.Deployment>
export type ReplicaSet = Stored<apps.ReplicaSet>
export type DaemonSet = Stored<apps.DaemonSet>
export type StatefulSet = Stored<apps.StatefulSet>
export type ControllerRevision = Stored<apps.ControllerRevision>
export type Job = Stored<batch.Job>
export type CronJob = Stored<batch.CronJob>
export type HorizontalPodAutoscaler = Stored<autoscaling.HorizontalPodAutoscaler>
export type PodDisruptionBudget = Stored<policy.PodDisruptionBudget>

// networking, discovery, coordination
export type EndpointSlice = Stored<discovery.EndpointSlice>
export type Ingress = Stored<networking.Ingress>
export type IngressClass = Stored<networking.IngressClass>
export type NetworkPolicy = Stored<networking.NetworkPolicy>
export type Lease = Stored<coordination.Lease>

// storage, scheduling, node
export type StorageClass = Stored<storage.StorageClass>
export type VolumeAttachment = Stored<storage.VolumeAttachment>
export type CSIDriver = Stored<storage.CSIDriver>
export type CSINode = Stored<storage.CSINode>
export type CSIStorageCapacity = Stored<storage.CSIStorageCapacity>
export type PriorityClass = Stored<scheduling.PriorityClass>
export type RuntimeClass = Stored<node.RuntimeClass>

// rbac, certificates, flow control, extension
export type Role = Stored<rbac.Role>
export type RoleBinding = Stored<rbac.RoleBinding>
export type ClusterRole = Stored<rbac.ClusterRole>
export type ClusterRoleBinding = Stored<rbac.ClusterRoleBinding>
export type CertificateSigningRequest = Stored<certificates.CertificateSigningRequest>
export type FlowSchema = Stored<flowcontrol.FlowSchema>
export type PriorityLevelConfiguration = Stored<flowcontrol.PriorityLevelConfiguration>
export type CustomResourceDefinition = Stored<apiextensions.CustomResourceDefinition>
export type ValidatingWebhookConfiguration = Stored<admissionregistration.ValidatingWebhookConfiguration>
export type MutatingWebhookConfiguration = Stored<admissionregistration.MutatingWebhookConfiguration>
export type ValidatingAdmissionPolicy = Stored<admissionregistration.ValidatingAdmissionPolicy>
export type ValidatingAdmissionPolicyBinding = Stored<admissionregistration.ValidatingAdmissionPolicyBinding>

// The parts of objects that more than one package handles by name.
export type {
  Affinity,
  Binding,
  Container,
  ContainerPort,
  ContainerState,
  ContainerStatus,
  EndpointAddress,
  EndpointSubset,
  EnvFromSource,
  EnvVar,
  EphemeralContainer,
  Lifecycle,
  LifecycleHandler,
  LocalObjectReference,
  NodeAddress,
  NodeAffinity,
  NodeCondition,
  NodeSelector,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  NodeSpec,
  NodeStatus,
  NodeSystemInfo,
  ObjectFieldSelector,
  ObjectReference,
  PodAffinityTerm,
  PodCondition,
  PodIP,
  PodSecurityContext,
  PodSpec,
  PodStatus,
  PodTemplateSpec,
  Probe,
  ResourceFieldSelector,
  ResourceRequirements,
  SecurityContext,
  ServicePort,
  ServiceSpec,
  ServiceStatus,
  Taint,
  Toleration,
  TopologySpreadConstraint,
  Volume,
  VolumeMount,
  WeightedPodAffinityTerm,
} from 'kubernetes-types/core/v1.js'
export type { Endpoint, EndpointConditions, EndpointPort } from 'kubernetes-types/discovery/v1.js'
export type {
  DaemonSetSpec,
  DaemonSetStatus,
  DeploymentCondition,
  DeploymentSpec,
  DeploymentStatus,
  ReplicaSetSpec,
  ReplicaSetStatus,
  StatefulSetSpec,
  StatefulSetStatus,
} from 'kubernetes-types/apps/v1.js'
export type {
  CronJobSpec,
  CronJobStatus,
  JobCondition,
  JobSpec,
  JobStatus,
  JobTemplateSpec,
} from 'kubernetes-types/batch/v1.js'
export type { LabelSelector, LabelSelectorRequirement, ManagedFieldsEntry } from 'kubernetes-types/meta/v1.js'
