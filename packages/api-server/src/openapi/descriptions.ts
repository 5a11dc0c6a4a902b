/**
 * What `kubectl explain` says: one sentence for each type and field that people meet. Everything else explains itself
 * by its name, or is rare enough for the Kubernetes documentation.
 *
 * A type's own sentence stands under ''.
 */

import type { TypeShape } from '@dinghy/shared/schema/type-shape'

type Sentences = Record<string, string>

export function describeType(type: string): string | undefined {
  return sentences[type]?.['']
}

export function describeField({ name, gvk }: TypeShape, field: string): string | undefined {
  const general = gvk ? ofKinds : name.endsWith('Condition') ? ofConditions : ofSpecs
  return sentences[name]?.[field] ?? general[field]
}

/** All that is described, as [type, field]. */
export function describedFields(): [type: string, field: string][] {
  return Object.entries(sentences).flatMap(([type, fields]) =>
    Object.keys(fields).map((field): [string, string] => [type, field]),
  )
}

/** Fields that mean the same in every kind, … */
const ofKinds: Sentences = {
  apiVersion: 'The group and version of the API this object is written in.',
  kind: 'The kind of object this is.',
  metadata: 'What identifies the object: name, namespace, labels, annotations.',
  spec: 'What is wanted; written by people.',
  status: 'What is; written by the cluster.',
}

/** … in every condition, … */
const ofConditions: Sentences = {
  type: 'What the condition is about.',
  status: 'Whether it holds: True, False or Unknown.',
  reason: 'Why, in one word.',
  message: 'Why.',
  lastTransitionTime: 'Since when.',
}

/** … and in most specs and statuses. */
const ofSpecs: Sentences = {
  conditions: 'What currently holds, each with a reason and since when.',
  observedGeneration: 'The metadata.generation that this status speaks of.',
  minReadySeconds: 'How long a new pod must stay ready before it counts as available.',
  revisionHistoryLimit: 'How many old revisions are kept to roll back to.',
  selector: 'Which pods belong to it, by their labels.',
  template: 'The pods that are made.',
}

const sentences: Record<string, Sentences> = {
  'meta.v1.ObjectMeta': {
    '': 'What every object has: a name, and what the cluster and its users note about it.',
    name: 'The name, unique among objects of its kind in a namespace. It never changes.',
    generateName: 'A prefix, to which the server adds random characters to make a name.',
    namespace: 'The namespace the object lives in; empty for what belongs to the whole cluster.',
    labels: 'Keys and values to select objects by.',
    annotations: 'Keys and values that tools keep with the object; they cannot be selected by.',
    uid: 'Identifies this object among all that ever had its name.',
    resourceVersion: 'Changes with every write. Send it back with an update to be told if somebody else wrote first.',
    generation: 'Counts changes of what is wanted.',
    creationTimestamp: 'When the object was created.',
    deletionTimestamp:
      'Set when deletion was asked for; the object goes once its finalizers and grace period are over.',
    deletionGracePeriodSeconds: 'How long the object was given to end.',
    finalizers: 'Who must clean up before the object may go. Each removes its own entry.',
    ownerReferences: 'The objects this one depends on; when they are gone, it is deleted.',
    managedFields: 'Who set which field, for server-side apply.',
  },
  'meta.v1.OwnerReference': {
    '': 'The object that owns another.',
    controller: 'Whether the owner manages the object; at most one does.',
    blockOwnerDeletion: 'Whether a foreground deletion of the owner waits for this object.',
  },
  'meta.v1.LabelSelector': {
    '': 'Selects objects by their labels. An empty one selects all.',
    matchLabels: 'Labels an object must have, with these values.',
    matchExpressions: 'Rules that must all hold.',
  },
  'meta.v1.LabelSelectorRequirement': {
    key: 'The label.',
    operator: 'In, NotIn, Exists or DoesNotExist.',
    values: 'The values, for In and NotIn.',
  },

  'core.v1.Pod': {
    '': 'Containers that live and die together on one node, sharing its network and volumes.',
  },
  'core.v1.PodTemplateSpec': {
    '': 'What a pod looks like that is made by a controller.',
    metadata: 'Labels and annotations of the pods.',
    spec: 'What runs in them.',
  },
  'core.v1.PodSpec': {
    '': 'What runs in a pod, and how.',
    containers: 'The containers; at least one.',
    initContainers:
      'Containers that run one after the other, to the end, before the others start. With restartPolicy Always one keeps running beside them: a sidecar.',
    ephemeralContainers: 'Containers added to a running pod to look into it; see `kubectl debug`.',
    volumes: 'Storage that the containers can mount.',
    restartPolicy: 'Whether ended containers are started again: Always, OnFailure or Never.',
    terminationGracePeriodSeconds: 'How long containers may take to stop before they are killed.',
    activeDeadlineSeconds: 'After this long the pod is failed, wherever it is.',
    nodeName: 'The node it runs on; set by the scheduler.',
    nodeSelector: 'Labels the node must have.',
    affinity: 'Which nodes, and which other pods, it wants to be near or far from.',
    tolerations: 'Taints that do not keep it off a node.',
    topologySpreadConstraints: 'How evenly pods are spread over nodes, zones, …',
    serviceAccountName: 'The account the pod acts as towards the API.',
    automountServiceAccountToken: 'Whether the account’s token is mounted into the containers.',
    dnsPolicy: 'Where names are looked up: ClusterFirst, Default or None.',
    dnsConfig: 'Name servers and search domains, added to those of dnsPolicy.',
    hostNetwork: 'Whether the pod uses the node’s own network.',
    hostAliases: 'Lines for /etc/hosts.',
    hostname: 'The name the pod has for itself, if it is not its own name.',
    subdomain: 'The name of a headless Service, under which the pod’s hostname can be looked up.',
    imagePullSecrets: 'Secrets to pull the images with.',
    priorityClassName: 'How important the pod is, compared to others.',
    schedulerName: 'The scheduler that finds its node.',
    securityContext: 'Users, groups and privileges that hold for all containers.',
    readinessGates: 'Conditions that somebody else sets, and that must hold before the pod is ready.',
    schedulingGates: 'While there are any, the pod is not scheduled.',
    shareProcessNamespace: 'Whether the containers see each other’s processes.',
    enableServiceLinks: 'Whether containers get variables for each Service, as Docker links once did.',
  },
  'core.v1.PodStatus': {
    '': 'How a pod is doing.',
    phase: 'Pending, Running, Succeeded, Failed or Unknown: where it is in its life.',
    podIP: 'Its address in the cluster.',
    hostIP: 'The address of its node.',
    startTime: 'When its node took it on.',
    containerStatuses: 'How each container is doing.',
    initContainerStatuses: 'How each init container is doing.',
    qosClass: 'Guaranteed, Burstable or BestEffort: who is evicted last when memory runs out.',
    reason: 'Why it is in this state, in one word.',
    message: 'Why it is in this state.',
    nominatedNodeName: 'The node on which others were pushed out for it.',
  },
  'core.v1.Container': {
    '': 'One container of a pod.',
    name: 'Its name, unique in the pod.',
    image: 'The image it is made from.',
    command: 'What is run, instead of the image’s ENTRYPOINT.',
    args: 'Its arguments, instead of the image’s CMD.',
    workingDir: 'Where it is run, instead of the image’s WORKDIR.',
    ports: 'Ports it listens on. Mostly for people to read, but a Service can name them.',
    env: 'Environment variables.',
    envFrom: 'ConfigMaps and Secrets whose keys all become variables.',
    resources: 'What it needs and what it may take of CPU and memory.',
    volumeMounts: 'Where volumes appear in its file system.',
    livenessProbe: 'When it fails, the container is restarted.',
    readinessProbe: 'While it fails, Services send no traffic.',
    startupProbe: 'Holds back the other probes until it has succeeded once.',
    lifecycle: 'What is done right after its start and right before its end.',
    imagePullPolicy: 'When the image is pulled: Always, IfNotPresent or Never.',
    securityContext: 'User and privileges of this container.',
    restartPolicy: 'Only for init containers: Always makes it a sidecar.',
    stdin: 'Whether it can be typed to.',
    tty: 'Whether it has a terminal.',
    terminationMessagePath: 'A file whose content is shown as the reason of its end.',
  },
  'core.v1.ContainerPort': {
    containerPort: 'The port it listens on.',
    hostPort: 'A port of the node that leads there.',
    name: 'A name that Services and probes can use.',
    protocol: 'TCP, UDP or SCTP.',
  },
  'core.v1.EnvVar': {
    name: 'The variable.',
    value: 'Its value; $(NAME) stands for an earlier variable.',
    valueFrom: 'Where its value comes from.',
  },
  'core.v1.EnvVarSource': {
    configMapKeyRef: 'A key of a ConfigMap.',
    secretKeyRef: 'A key of a Secret.',
    fieldRef: 'A field of the pod: metadata.name, status.podIP, …',
    resourceFieldRef: 'A request or limit of a container.',
  },
  'core.v1.ResourceRequirements': {
    requests: 'What is set aside for it on a node; decides where it fits.',
    limits: 'The most it may use. More CPU it does not get; for more memory it is killed.',
  },
  'core.v1.Probe': {
    exec: 'A command that must exit with 0.',
    httpGet: 'A request that must be answered with a status from 200 to 399.',
    tcpSocket: 'A port that must accept a connection.',
    grpc: 'A gRPC health service that must say SERVING.',
    initialDelaySeconds: 'How long to wait before the first try.',
    periodSeconds: 'How long to wait between tries.',
    timeoutSeconds: 'How long a try may take.',
    failureThreshold: 'How many tries in a row must fail.',
    successThreshold: 'How many tries in a row must succeed.',
  },
  'core.v1.Lifecycle': {
    postStart: 'Done right after the start, beside the container’s own command.',
    preStop: 'Done before the container is told to stop; counts towards the grace period.',
  },
  'core.v1.SecurityContext': {
    runAsUser: 'The user id it runs as.',
    runAsNonRoot: 'Refuse to run as root.',
    readOnlyRootFilesystem: 'Whether its own file system cannot be written.',
    allowPrivilegeEscalation: 'Whether a process may gain more privileges than its parent.',
    capabilities: 'Powers of root that are given or taken.',
    privileged: 'Whether it may do whatever the node may.',
  },
  'core.v1.VolumeMount': {
    name: 'The volume.',
    mountPath: 'Where it appears.',
    subPath: 'The part of the volume that appears.',
    readOnly: 'Whether it cannot be written.',
  },
  'core.v1.Volume': {
    name: 'The name that containers mount it by.',
    emptyDir: 'A directory that lives as long as the pod.',
    hostPath: 'A file or directory of the node.',
    configMap: 'The keys of a ConfigMap, as files.',
    secret: 'The keys of a Secret, as files.',
    persistentVolumeClaim: 'Storage that outlives the pod.',
    projected: 'Several of these in one directory.',
    downwardAPI: 'Fields of the pod, as files.',
    ephemeral: 'A claim that is made with the pod and goes with it.',
    nfs: 'A directory of an NFS server.',
  },
  'core.v1.Toleration': {
    key: 'The taint.',
    operator: 'Exists, or Equal to value.',
    effect: 'NoSchedule, PreferNoSchedule or NoExecute; empty means all.',
    tolerationSeconds: 'How long a NoExecute taint is borne.',
  },

  'apps.v1.Deployment': {
    '': 'Keeps so many pods of one template running, and replaces them step by step when it changes.',
  },
  'apps.v1.DeploymentSpec': {
    replicas: 'How many pods.',
    strategy: 'How old pods are replaced by new ones.',
    paused: 'Whether changes of the template wait.',
    progressDeadlineSeconds: 'After this long without progress a rollout counts as failed.',
  },
  'apps.v1.DeploymentStrategy': {
    type: 'RollingUpdate, or Recreate: all old pods go before new ones come.',
    rollingUpdate: 'How far a rolling update may stray from the number of pods.',
  },
  'apps.v1.RollingUpdateDeployment': {
    maxSurge: 'How many pods there may be too many, as a number or a percentage.',
    maxUnavailable: 'How many pods may be missing, as a number or a percentage.',
  },
  'apps.v1.DeploymentStatus': {
    replicas: 'Pods there are.',
    updatedReplicas: 'Pods made from the current template.',
    readyReplicas: 'Pods that are ready.',
    availableReplicas: 'Pods that have been ready for minReadySeconds.',
    unavailableReplicas: 'Pods that are still missing.',
  },
  'apps.v1.ReplicaSet': { '': 'Keeps so many pods of one template running. Usually made by a Deployment.' },
  'apps.v1.ReplicaSetSpec': { replicas: 'How many pods.' },
  'apps.v1.StatefulSet': { '': 'Pods with stable names and storage of their own, started and stopped in order.' },
  'apps.v1.StatefulSetSpec': {
    replicas: 'How many pods.',
    serviceName: 'The headless Service under which each pod can be looked up by name.',
    volumeClaimTemplates: 'Claims that each pod gets, and keeps.',
    podManagementPolicy: 'OrderedReady, or Parallel: all at once.',
    updateStrategy: 'How pods are replaced when the template changes.',
    persistentVolumeClaimRetentionPolicy: 'What becomes of the claims of pods that go.',
    ordinals: 'Where the numbers of the pods begin.',
  },
  'apps.v1.DaemonSet': { '': 'One pod on every node that fits.' },
  'apps.v1.DaemonSetSpec': { updateStrategy: 'How pods are replaced when the template changes.' },
  'batch.v1.Job': { '': 'Runs pods until enough of them have succeeded.' },
  'batch.v1.JobSpec': {
    completions: 'How many pods must succeed.',
    parallelism: 'How many pods run at a time.',
    backoffLimit: 'How many failures are borne.',
    activeDeadlineSeconds: 'After this long the job is failed.',
    ttlSecondsAfterFinished: 'How long after its end the job is deleted.',
    completionMode: 'NonIndexed, or Indexed: each pod has a number.',
    suspend: 'Whether its pods are stopped for now.',
  },
  'batch.v1.CronJob': { '': 'Starts a Job again and again, by the clock.' },
  'batch.v1.CronJobSpec': {
    schedule: 'When: minute, hour, day of month, month, day of week.',
    timeZone: 'The time zone of the schedule.',
    jobTemplate: 'The job that is started.',
    concurrencyPolicy: 'What if the last one still runs: Allow, Forbid or Replace.',
    startingDeadlineSeconds: 'How late a job may start.',
    suspend: 'Whether no further jobs are started.',
    successfulJobsHistoryLimit: 'How many jobs that succeeded are kept.',
    failedJobsHistoryLimit: 'How many jobs that failed are kept.',
  },
  'autoscaling.v2.HorizontalPodAutoscaler': { '': 'Changes how many pods there are, by what they have to do.' },
  'autoscaling.v2.HorizontalPodAutoscalerSpec': {
    scaleTargetRef: 'What is scaled.',
    minReplicas: 'The fewest pods.',
    maxReplicas: 'The most pods.',
    metrics: 'What is measured, and what it should be.',
    behavior: 'How fast it goes up and down.',
  },
  'autoscaling.v2.MetricIdentifier': { selector: 'Which series of the metric.' },
  'policy.v1.PodDisruptionBudget': { '': 'How many pods may be evicted at a time.' },
  'policy.v1.PodDisruptionBudgetSpec': {
    minAvailable: 'How many must stay, as a number or a percentage.',
    maxUnavailable: 'How many may be gone, as a number or a percentage.',
  },

  'core.v1.Service': { '': 'A name and an address for a changing set of pods.' },
  'core.v1.ServiceSpec': {
    type: 'ClusterIP, NodePort, LoadBalancer or ExternalName: from where it can be reached.',
    ports: 'The ports it offers.',
    clusterIP: 'Its address; None makes it headless: its name leads straight to the pods.',
    externalName: 'The name it stands for, for type ExternalName.',
    externalIPs: 'Further addresses that lead to it.',
    sessionAffinity: 'ClientIP sends a client to the same pod again.',
    externalTrafficPolicy: 'Local keeps traffic from outside on the node it came to.',
    publishNotReadyAddresses: 'Whether pods that are not ready count, too.',
  },
  'core.v1.ServicePort': {
    name: 'The name of the port; needed where there are several.',
    port: 'The port of the Service.',
    targetPort: 'The port of the pods, by number or name.',
    nodePort: 'The port of every node that leads to it.',
    protocol: 'TCP, UDP or SCTP.',
  },
  'networking.v1.Ingress': { '': 'Leads HTTP requests to Services, by host and path.' },
  'networking.v1.IngressSpec': {
    ingressClassName: 'Which controller serves it.',
    rules: 'Which requests go where.',
    defaultBackend: 'Where all others go.',
    tls: 'Hosts that are served with a certificate.',
  },
  'networking.v1.HTTPIngressPath': {
    path: 'The path.',
    pathType: 'Exact, Prefix, or ImplementationSpecific.',
    backend: 'The Service that answers.',
  },
  'networking.v1.NetworkPolicy': { '': 'Which traffic pods may have.' },
  'networking.v1.NetworkPolicySpec': {
    podSelector: 'The pods it protects.',
    ingress: 'Who may reach them. Without a rule, nobody.',
    egress: 'Whom they may reach.',
    policyTypes: 'Which directions it restricts: Ingress, Egress.',
  },

  'core.v1.ConfigMap': {
    '': 'Settings: keys and values that pods read as files or variables.',
    data: 'The values, as text.',
    binaryData: 'Values that are no text, in base64.',
    immutable: 'Whether the values can never change.',
  },
  'core.v1.Secret': {
    '': 'Passwords, tokens and keys, kept apart from the pods that use them.',
    data: 'The values, in base64.',
    stringData: 'Values as text, for writing only.',
    type: 'What the keys mean.',
    immutable: 'Whether the values can never change.',
  },
  'core.v1.Namespace': { '': 'A room for objects: names are unique in it, and it goes with all that is in it.' },
  'core.v1.Node': { '': 'A machine that runs pods.' },
  'core.v1.NodeSpec': {
    unschedulable: 'Whether it takes no new pods; see `kubectl cordon`.',
    taints: 'Keep off pods that do not tolerate them.',
    podCIDR: 'The addresses its pods have.',
  },
  'core.v1.PersistentVolumeClaim': { '': 'A wish for storage.' },
  'core.v1.PersistentVolumeClaimSpec': {
    accessModes: 'How it will be mounted: ReadWriteOnce, ReadOnlyMany, ReadWriteMany, ReadWriteOncePod.',
    resources: 'How much storage.',
    storageClassName: 'Which kind of storage.',
    volumeName: 'The volume it is bound to.',
    selector: 'Which volumes will do, by their labels.',
  },
  'core.v1.PersistentVolume': { '': 'A piece of storage.' },
  'core.v1.PersistentVolumeSpec': {
    capacity: 'How much it holds.',
    persistentVolumeReclaimPolicy: 'What becomes of it when its claim is gone: Retain or Delete.',
    claimRef: 'The claim it is bound to.',
    nodeAffinity: 'The nodes it can be used on.',
  },
  'storage.v1.StorageClass': {
    '': 'A kind of storage, and who makes it.',
    provisioner: 'Who makes its volumes.',
    volumeBindingMode: 'When a claim is bound: Immediate or WaitForFirstConsumer.',
  },
  'core.v1.ServiceAccount': { '': 'Who pods are towards the API.' },
  'rbac.v1.Role': { '': 'What may be done in a namespace.', rules: 'Which verbs on which resources.' },
  'rbac.v1.ClusterRole': { '': 'What may be done in the cluster.', rules: 'Which verbs on which resources.' },
  'rbac.v1.RoleBinding': { '': 'Grants a role, in a namespace.', roleRef: 'The role.', subjects: 'Who gets it.' },
  'rbac.v1.ClusterRoleBinding': {
    '': 'Grants a role, in the cluster.',
    roleRef: 'The role.',
    subjects: 'Who gets it.',
  },
  'core.v1.ResourceQuota': { '': 'How much a namespace may use.' },
  'core.v1.LimitRange': { '': 'What a container or pod in a namespace may ask for, and gets if it does not ask.' },
  'scheduling.v1.PriorityClass': {
    '': 'How important pods are.',
    value: 'The higher, the more important.',
    globalDefault: 'Whether pods without a class get this one.',
    preemptionPolicy: 'Whether its pods push less important ones out.',
  },
}
