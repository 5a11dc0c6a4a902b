/** Every rule of a pod spec that has a text of its own, as upstream words it and where upstream sees it. */

import { describe, expect, test } from 'vitest'
import { created, problemsOf } from '../../../testing/kind-fixture.ts'

const c = 'spec.containers[0]'

function pod(container: object, spec: object = {}): object {
  return { spec: { containers: [{ name: 'c', image: 'a', ...container }], ...spec } }
}

function withVolume(source: object, container: object = {}): object {
  return pod(container, { volumes: [{ name: 'v', ...source }] })
}

function withSpec(spec: object): object {
  return pod({}, spec)
}

type Row = [sent: object, ...messages: string[]]

function check(rows: Row[]): void {
  test.each(rows.map(([sent, ...messages]) => ({ messages, sent })))('$messages.0', ({ sent, messages }) => {
    expect(problemsOf('pods', sent)).toEqual(messages)
  })
}

describe('containers', () => {
  check([
    [pod({ name: 'a.b' }), `${c}.name: Invalid value: "a.b": must not contain dots`],
    [
      pod({ terminationMessagePolicy: 'Log' }),
      `${c}.terminationMessagePolicy: Unsupported value: "Log": supported values: "File", "FallbackToLogsOnError"`,
    ],
    [
      pod({ ports: [{ containerPort: 80, hostPort: 81 }] }, { hostNetwork: true }),
      `${c}.ports[0].hostPort: Invalid value: 81: must match \`containerPort\` when \`hostNetwork\` is true`,
    ],
    [
      withSpec({
        initContainers: [
          { name: 'i', image: 'a' },
          {
            name: 'j',
            image: 'a',
            ports: [
              { containerPort: 1, hostPort: 1 },
              { containerPort: 2, hostPort: 1 },
            ],
          },
        ],
      }),
      'spec.initContainers[0].ports[1].hostPort: Duplicate value: "TCP//1"',
    ],
    [
      withSpec({ initContainers: [{ name: 'i', image: 'a', restartPolicy: 'Never' }] }),
      'spec.initContainers[0].restartPolicy: Unsupported value: "Never": supported values: "Always"',
    ],
    [
      pod({ resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'RestartContainer' }] }, { restartPolicy: 'Never' }),
      `${c}.resizePolicy: Invalid value: "RestartContainer": must be 'NotRequired' when \`restartPolicy\` is 'Never'`,
    ],
    [
      pod({ resizePolicy: [{ resourceName: 'disk', restartPolicy: 'Sometimes' }] }),
      `${c}.resizePolicy: Unsupported value: "disk": supported values: "cpu", "memory"`,
      `${c}.resizePolicy: Unsupported value: "Sometimes": supported values: "NotRequired", "RestartContainer"`,
    ],
    [
      pod({
        resizePolicy: [
          { resourceName: 'cpu', restartPolicy: 'NotRequired' },
          { resourceName: 'cpu', restartPolicy: 'NotRequired' },
        ],
      }),
      `${c}.resizePolicy[1]: Duplicate value: "cpu"`,
    ],
    [
      pod({ lifecycle: { preStop: { sleep: { seconds: 31 }, exec: { command: ['a'] } } } }),
      `${c}.lifecycle.preStop.sleep: Forbidden: may not specify more than 1 handler type`,
    ],
  ])

  test('a template may leave host ports out and have spaces around an image', () => {
    const spec = { hostNetwork: true, containers: [{ name: 'c', image: ' a', ports: [{ containerPort: 1 }] }] }
    expect(problemsOf('podtemplates', { template: { spec } })).toEqual([])
  })
})

describe('mounts and devices', () => {
  const claim = { persistentVolumeClaim: { claimName: 'x' } }
  check([
    [
      withVolume({ emptyDir: {} }, { volumeMounts: [{ name: '', mountPath: '' }] }),
      `${c}.volumeMounts[0].name: Required value`,
      `${c}.volumeMounts[0].name: Not found: ""`,
      `${c}.volumeMounts[0].mountPath: Required value`,
    ],
    [
      withVolume({ hostPath: {} }, { volumeMounts: [{ name: 'v', mountPath: '/v' }] }),
      'spec.volumes[0].hostPath.path: Required value',
      `${c}.volumeMounts[0].name: Not found: "v"`,
    ],
    [
      withVolume({ emptyDir: {} }, { volumeMounts: [{ name: 'v', mountPath: '/v', subPath: 'a', subPathExpr: '/b' }] }),
      `${c}.volumeMounts[0].subPathExpr: Invalid value: "/b": subPathExpr and subPath are mutually exclusive`,
      `${c}.volumeMounts.subPathExpr: Invalid value: "/b": must be a relative path`,
    ],
    [
      withVolume(
        { emptyDir: {} },
        {
          volumeMounts: [
            {
              name: 'v',
              mountPath: '/v',
              readOnly: true,
              recursiveReadOnly: 'Enabled',
              mountPropagation: 'HostToContainer',
            },
          ],
        },
      ),
      `${c}.volumeMounts.recursiveReadOnly: Forbidden: may only be specified when mountPropagation is None or not specified`,
    ],
    [
      withVolume(claim, {
        volumeMounts: [{ name: 'v', mountPath: '/v' }],
        volumeDevices: [{ name: 'v', devicePath: '/v' }],
      }),
      `${c}.volumeMounts[0].name: Invalid value: "v": must not already exist in volumeDevices`,
      `${c}.volumeMounts[0].mountPath: Invalid value: "/v": must not already exist as a path in volumeDevices`,
      `${c}.volumeDevices[0].name: Invalid value: "v": must not already exist in volumeMounts`,
      `${c}.volumeDevices[0].devicePath: Invalid value: "/v": must not already exist as a path in volumeMounts`,
    ],
    [
      withVolume({ emptyDir: {} }, { volumeDevices: [{ name: 'v', devicePath: '/a/../b' }] }),
      `${c}.volumeDevices[0].name: Invalid value: "v": can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode`,
      `${c}.volumeDevices[0].devicePath: Invalid value: "/a/../b": can not contain backsteps ('..')`,
    ],
    [
      withVolume(claim, {
        volumeDevices: [
          { name: 'v', devicePath: '/a' },
          { name: 'v', devicePath: '/a' },
          { name: 'w', devicePath: '' },
        ],
      }),
      `${c}.volumeDevices[1].name: Invalid value: "v": must be unique`,
      `${c}.volumeDevices[1].devicePath: Invalid value: "/a": must be unique`,
      `${c}.volumeDevices[2].name: Not found: "w"`,
      `${c}.volumeDevices[2].devicePath: Required value`,
    ],
  ])
})

describe('variables', () => {
  const env = (valueFrom: object) => pod({ env: [{ name: 'A', valueFrom }] })
  const at = `${c}.env[0].valueFrom`
  check([
    [pod({ envFrom: [{}] }), `${c}.envFrom: Invalid value: "": must specify one of: \`configMapRef\` or \`secretRef\``],
    [pod({ envFrom: [{ secretRef: {} }] }), `${c}.envFrom[0].secretRef.name: Required value`],
    [
      env({ fieldRef: { apiVersion: 'v2', fieldPath: 'metadata.name' } }),
      `${at}.fieldRef.fieldPath: Invalid value: "metadata.name": error converting fieldPath: unsupported pod version: v2`,
    ],
    [
      env({ fieldRef: { fieldPath: "spec.nodeName['a']" } }),
      `${at}.fieldRef.fieldPath: Invalid value: "spec.nodeName['a']": error converting fieldPath: field label does not support subscript: spec.nodeName['a']`,
    ],
    [
      env({ fieldRef: { fieldPath: "metadata.labels['']" } }),
      `${at}.fieldRef: Invalid value: "": name part must be non-empty`,
      `${at}.fieldRef: Invalid value: "": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
    ],
    [
      env({ resourceFieldRef: { resource: 'limits.cpu', divisor: '2' } }),
      `${at}.resourceFieldRef.divisor: Invalid value: "limits.cpu": only divisor's values 1m and 1 are supported with the cpu resource`,
    ],
    [
      withVolume({
        downwardAPI: { items: [{ path: 'a', resourceFieldRef: { resource: 'limits.memory', divisor: '3' } }] },
      }),
      'spec.volumes[0].downwardAPI.resourceFieldRef.containerName: Required value',
      `spec.volumes[0].downwardAPI.resourceFieldRef.divisor: Invalid value: "limits.memory": only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the memory resource`,
    ],
  ])

  test.each(['spec.host', "metadata.annotations['example.com/A']"])('may be %s', (fieldPath) => {
    expect(problemsOf('pods', env({ fieldRef: { fieldPath } }))).toEqual([])
  })
})

describe('resources', () => {
  const limits = (amounts: Record<string, string>) => pod({ resources: { limits: amounts } })
  const at = `${c}.resources`
  check([
    [
      limits({ cups: '1' }),
      `${at}.limits[cups]: Invalid value: "cups": must be a standard resource type or fully qualified`,
      `${at}.limits[cups]: Invalid value: "cups": must be a standard resource for containers`,
      `${at}.requests[cups]: Invalid value: "cups": must be a standard resource type or fully qualified`,
      `${at}.requests[cups]: Invalid value: "cups": must be a standard resource for containers`,
    ],
    [
      pod({ resources: { limits: { 'requests.example.com/gpu': '1' }, requests: {} } }),
      `${at}.limits[requests.example.com/gpu]: Invalid value: "requests.example.com/gpu": doesn't follow extended resource name standard`,
      `${at}.requests[requests.example.com/gpu]: Invalid value: "requests.example.com/gpu": doesn't follow extended resource name standard`,
    ],
    [
      limits({ 'hugepages-2Mi': '3Mi', cpu: '1' }),
      `${at}.limits[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of hugepages-2Mi`,
      `${at}.requests[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of hugepages-2Mi`,
    ],
    [limits({ 'hugepages-2Mi': '4Mi' }), `${at}: Forbidden: HugePages require cpu or memory`],
    [
      limits({ 'example.com/gpu': '1500m' }),
      `${at}.limits[example.com/gpu]: Invalid value: "1500m": must be an integer`,
      `${at}.requests[example.com/gpu]: Invalid value: "1500m": must be an integer`,
    ],
  ])

  test('what a closed gate hides is dropped, as it is upstream', () => {
    const spec = {
      resources: { limits: { cpu: '1' } },
      resourceClaims: [{ name: 'a', resourceClaimName: 'b' }],
      volumes: [{ name: 'v', projected: { sources: [{ clusterTrustBundle: { name: 'x', path: 'x' } }] } }],
    }
    const container = { resources: { claims: [{ name: 'a' }] }, lifecycle: { stopSignal: 'SIGUSR1' } }
    expect(created('pods', pod(container, spec)).spec).toMatchObject({
      containers: [{ resources: {}, lifecycle: {} }],
      volumes: [{ projected: { sources: [{}] } }],
    })
    expect(created('pods', pod(container, spec)).spec).not.toHaveProperty('resources')
    expect(created('pods', pod(container, spec)).spec).not.toHaveProperty('resourceClaims')
  })
})

describe('volumes', () => {
  const at = 'spec.volumes[0]'
  check([
    [withVolume({ image: { reference: 'a' } }), `${at}: Required value: must specify a volume type`],
    [
      withVolume({ downwardAPI: {}, cephfs: { monitors: ['a'] } }),
      `${at}.downwarAPI: Forbidden: may not specify more than 1 volume type`,
    ],
    [
      withVolume({ hostPath: { path: '/a', type: 'Door' } }),
      `${at}.hostPath.type: Unsupported value: "Door": supported values: "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"`,
    ],
    [
      withVolume({
        configMap: {
          name: 'm',
          items: [
            { key: 'a', path: '..a' },
            { key: 'a', path: '/a/../b' },
          ],
        },
      }),
      `${at}.configMap.items[0].path: Invalid value: "..a": must not start with '..'`,
      `${at}.configMap.items[1].path: Invalid value: "/a/../b": must be a relative path`,
      `${at}.configMap.items[1].path: Invalid value: "/a/../b": must not contain '..'`,
    ],
    [
      withVolume({ projected: { sources: [{ serviceAccountToken: { path: '', expirationSeconds: 1 } }] } }),
      `${at}.projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 1: may not specify a duration less than 10 minutes`,
      `${at}.projected.path: Required value`,
      `${at}.projected.sources[0].serviceAccountToken: Forbidden: must not be specified when serviceAccountName is not set`,
    ],
    [
      withVolume({ projected: { sources: [{ secret: { name: 'a' }, configMap: { name: 'b' } }] } }),
      `${at}.projected.sources[0]: Forbidden: may not specify more than 1 volume type per source`,
    ],
    [
      withVolume({
        ephemeral: {
          volumeClaimTemplate: {
            metadata: { name: 'a', labels: { a: 'b' } },
            spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1' } } },
          },
        },
      }),
      `${at}.ephemeral.volumeClaimTemplate.metadata.name: Forbidden: cannot be set`,
    ],
    [
      withSpec({
        volumes: [
          {
            name: 'v',
            ephemeral: {
              volumeClaimTemplate: {
                spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1' } } },
              },
            },
          },
          { name: 'w', persistentVolumeClaim: { claimName: 'x-v' } },
        ],
      }),
      'spec.volumes[1].persistentVolumeClaim.claimName: Invalid value: "x-v": must not reference a PVC that gets created for an ephemeral volume',
    ],
    [
      withVolume({ iscsi: { targetPortal: 'p', iqn: 'x', lun: 256, chapAuthSession: true } }),
      `${at}.iscsi.iqn: Invalid value: "x": must be valid format starting with iqn, eui, or naa`,
      `${at}.iscsi.lun: Invalid value: 256: must be between 0 and 255, inclusive`,
      `${at}.iscsi.secretRef: Required value`,
    ],
    [withVolume({ nfs: { server: 's', path: 'p' } }), `${at}.nfs.path: Invalid value: "p": must be an absolute path`],
    [
      withVolume({ rbd: { monitors: [], image: '' } }),
      `${at}.rbd.monitors: Required value`,
      `${at}.rbd.image: Required value`,
    ],
    [
      withVolume({ gcePersistentDisk: { pdName: '', partition: 256 } }),
      `${at}.persistentDisk.pdName: Required value`,
      `${at}.persistentDisk.partition: Invalid value: 256: must be between 1 and 255, inclusive`,
    ],
    [
      withVolume({ flocker: { datasetName: 'a/b', datasetUUID: 'c' } }),
      `${at}.flocker: Invalid value: "resource": datasetName and datasetUUID can not be specified simultaneously`,
      `${at}.flocker.datasetName: Invalid value: "a/b": must not contain '/'`,
    ],
    [
      withVolume({ quobyte: { registry: 'a', volume: 'v' } }),
      `${at}.quobyte.registry: Invalid value: "a": must be a host:port pair or multiple pairs separated by commas`,
    ],
    [
      withVolume({ fc: { targetWWNs: ['a'] } }),
      `${at}.fc.lun: Required value: lun is required if targetWWNs is specified`,
    ],
    [
      withVolume({ flexVolume: { driver: 'd', options: { 'Kubernetes.io/x': 'y' } } }),
      `${at}.flexVolume.options[Kubernetes.io/x]: Invalid value: "Kubernetes.io/x": kubernetes.io and k8s.io namespaces are reserved`,
    ],
    [
      withVolume({ azureDisk: { diskName: 'd', diskURI: 'http://x', kind: 'Managed', cachingMode: 'None' } }),
      `${at}.azureDisk.diskURI: Unsupported value: "http://x": supported values: "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"`,
    ],
    [
      withVolume({ storageos: { secretRef: {} } }),
      `${at}.storageos.volumeName: Required value`,
      `${at}.storageos.secretRef.name: Required value`,
    ],
    [
      withVolume({ csi: { driver: 'a_b', nodePublishSecretRef: {} } }),
      `${at}.csi.driver: Invalid value: "a_b": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
      `${at}.csi.nodePublishSecretRef.name: Required value`,
    ],
  ])
})

describe('security', () => {
  const at = 'spec.securityContext'
  check([
    [
      withSpec({ securityContext: { seccompProfile: { type: '' } } }),
      `${at}.seccompProfile.type: Required value: type is required when seccompProfile is set`,
    ],
    [
      withSpec({ securityContext: { seccompProfile: { type: 'Localhost', localhostProfile: '/a' } } }),
      `${at}.seccompProfile.localhostProfile: Invalid value: "/a": must be a relative path`,
    ],
    [
      withSpec({ securityContext: { appArmorProfile: { type: 'Localhost', localhostProfile: ' a' } } }),
      `${at}.appArmorProfile.localhostProfile: Invalid value: " a": must not be padded with whitespace`,
    ],
    [
      withSpec({ securityContext: { appArmorProfile: { type: 'RuntimeDefault', localhostProfile: 'a' } } }),
      `${at}.appArmorProfile.localhostProfile: Invalid value: "a": can only be set when AppArmor type is Localhost`,
    ],
    [
      withSpec({ securityContext: { fsGroupChangePolicy: 'Never' } }),
      `${at}.fsGroupChangePolicy: Unsupported value: "Never": supported values: "Always", "OnRootMismatch"`,
    ],
    [
      withSpec({ securityContext: { supplementalGroupsPolicy: 'None', seLinuxChangePolicy: 'None' } }),
      `${at}.supplementalGroupsPolicy: Unsupported value: "None": supported values: "Merge", "Strict"`,
      `${at}.seLinuxChangePolicy: Unsupported value: "None": supported values: "MountOption", "Recursive"`,
    ],
    [
      withSpec({ hostNetwork: true, securityContext: { sysctls: [{ name: 'net/core/somaxconn', value: '1' }] } }),
      `${at}.sysctls[0].name: Invalid value: "net/core/somaxconn": may not be specified when 'hostNetwork' is true`,
    ],
    [
      withSpec({ hostIPC: true, securityContext: { sysctls: [{ name: 'kernel.shmmax', value: '1' }] } }),
      `${at}.sysctls[0].name: Invalid value: "kernel.shmmax": may not be specified when 'hostIPC' is true`,
    ],
    [
      withSpec({ hostUsers: false, hostPID: true, hostIPC: true }),
      'spec.HostPID: Forbidden: when `pod.Spec.HostUsers` is false',
      'spec.HostIPC: Forbidden: when `pod.Spec.HostUsers` is false',
    ],
    [
      pod({ securityContext: { procMount: 'Unmasked' } }),
      `${c}.securityContext.procMount: Invalid value: "Unmasked": \`hostUsers\` must be false to use \`Unmasked\``,
    ],
    [withSpec({ os: { name: 'plan9' } }), 'spec.os: Unsupported value: "plan9": supported values: "linux", "windows"'],
    [
      pod({ securityContext: { privileged: true } }, { os: { name: 'windows' }, hostPID: true }),
      'spec.hostPID: Forbidden: cannot be set for a windows pod',
      `${c}.securityContext.privileged: Forbidden: cannot be set for a windows pod`,
    ],
    [
      withSpec({ os: { name: 'linux' }, securityContext: { windowsOptions: {} } }),
      `${at}.windowsOptions: Forbidden: windows options cannot be set for a linux pod`,
    ],
  ])
})

describe('scheduling', () => {
  const hard = 'requiredDuringSchedulingIgnoredDuringExecution'
  const node = (term: object) => withSpec({ affinity: { nodeAffinity: { [hard]: { nodeSelectorTerms: [term] } } } })
  const ofPods = (term: object) =>
    withSpec({ affinity: { podAffinity: { [hard]: [{ topologyKey: 'zone', ...term }] } } })
  const spread = (constraint: object) =>
    withSpec({
      topologySpreadConstraints: [
        { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', ...constraint },
      ],
    })
  const terms = `spec.affinity.nodeAffinity.${hard}.nodeSelectorTerms[0]`
  const near = `spec.affinity.podAffinity.${hard}[0]`
  const even = 'spec.topologySpreadConstraints[0]'
  check([
    [
      node({ matchExpressions: [{ key: 'a', operator: 'In', values: ['-'] }] }),
      `${terms}.matchExpressions[0].values[0]: Invalid value: "-": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
    ],
    [
      node({ matchFields: [{ key: 'metadata.uid', operator: 'Exists' }] }),
      `${terms}.matchFields[0].operator: Invalid value: "Exists": not a valid selector operator`,
      `${terms}.matchFields[0].key: Invalid value: "metadata.uid": not a valid field selector key`,
    ],
    [
      ofPods({ topologyKey: '' }),
      `${near}.topologyKey: Required value: can not be empty`,
      `${near}.topologyKey: Invalid value: "": name part must be non-empty`,
      `${near}.topologyKey: Invalid value: "": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
    ],
    [
      ofPods({ namespaces: ['a.b'], matchLabelKeys: ['a'] }),
      `${near}.namespace: Invalid value: "a.b": must not contain dots`,
      `${near}.matchLabelKeys: Forbidden: must not be specified when labelSelector is not set`,
    ],
    [
      ofPods({ labelSelector: {}, matchLabelKeys: ['a'], mismatchLabelKeys: ['a'] }),
      `${near}.matchLabelKeys[0]: Invalid value: "a": exists in both matchLabelKeys and mismatchLabelKeys`,
    ],
    [
      {
        metadata: { labels: { a: 'b' } },
        ...ofPods({ labelSelector: { matchLabels: { a: 'x' } }, matchLabelKeys: ['a'] }),
      },
      `${near}[0]: Invalid value: "a": exists in both matchLabelKeys and labelSelector`,
    ],
    [
      spread({ nodeTaintsPolicy: 'Maybe', matchLabelKeys: ['a'] }),
      `${even}.nodeTaintsPolicy: Unsupported value: "Maybe": supported values: "Honor", "Ignore"`,
      `${even}.matchLabelKeys: Forbidden: must not be specified when labelSelector is not set`,
    ],
    [
      spread({ whenUnsatisfiable: 'ScheduleAnyway', minDomains: 0 }),
      `${even}.minDomains: Invalid value: 0: must be greater than zero`,
      `${even}.minDomains: Invalid value: 0: can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway`,
    ],
    [
      withSpec({ tolerations: [{ key: 'a', operator: 'Exists', value: 'b' }] }),
      `spec.tolerations[0].operator: Invalid value: "b": value must be empty when \`operator\` is 'Exists'`,
    ],
  ])

  test('what no node can have may still be preferred', () => {
    const preference = { matchExpressions: [{ key: 'a', operator: 'In', values: ['-'] }] }
    const soft = { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, preference }] }
    expect(problemsOf('pods', withSpec({ affinity: { nodeAffinity: soft } }))).toEqual([])
  })

  test('matchLabelKeys become a part of the selector with the values of the pod', () => {
    const term = { labelSelector: {}, matchLabelKeys: ['version', 'none'], mismatchLabelKeys: ['tenant'] }
    const sent = { metadata: { labels: { version: '1', tenant: 't' } }, ...ofPods(term) }
    expect(created('pods', sent).spec).toMatchObject({
      affinity: {
        podAffinity: {
          [hard]: [
            {
              labelSelector: {
                matchExpressions: [
                  { key: 'version', operator: 'In', values: ['1'] },
                  { key: 'tenant', operator: 'NotIn', values: ['t'] },
                ],
              },
            },
          ],
        },
      },
    })
    expect(problemsOf('pods', sent)).toEqual([])
  })
})

describe('names and addresses', () => {
  check([
    [
      withSpec({ dnsPolicy: 'None' }),
      'spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None',
    ],
    [
      withSpec({ dnsConfig: { nameservers: ['a'], searches: ['-', '.', '_tcp.example.com.'] } }),
      'spec.dnsConfig.nameservers[0]: Invalid value: "a": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
      `spec.dnsConfig.searches[0]: Invalid value: "-": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
    ],
    [
      withSpec({ hostAliases: [{ ip: '127.0.0.1', hostnames: ['ok', 'A'] }] }),
      `spec.hostAliases[0].hostnames[1]: Invalid value: "A": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
    ],
    [
      withSpec({ overhead: { cpu: '-1' } }),
      'spec.overhead.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0',
    ],
  ])
})

describe('annotations', () => {
  const annotated = (annotations: Record<string, string>, sent: object = pod({})) => ({
    metadata: { annotations },
    ...sent,
  })
  const at = 'metadata.annotations'
  const seccomp = 'seccomp.security.alpha.kubernetes.io/pod'
  const appArmor = 'container.apparmor.security.beta.kubernetes.io'
  check([
    [
      annotated({ 'kubernetes.io/config.mirror': 'x' }),
      `${at}[kubernetes.io/config.mirror]: Invalid value: "x": must set spec.nodeName if mirror pod annotation is set`,
    ],
    [
      annotated({ 'controller.kubernetes.io/pod-deletion-cost': '+1' }),
      `${at}[controller.kubernetes.io/pod-deletion-cost]: Invalid value: "+1": must be a 32bit integer`,
    ],
    [annotated({ [seccomp]: 'x' }), `${at}.${seccomp}: Invalid value: "x": must be a valid seccomp profile`],
    [
      annotated({ [`${appArmor}/d`]: 'runtime/default', [`${appArmor}/c`]: 'x' }),
      `${at}[${appArmor}/d]: Invalid value: "d": container not found`,
      `${at}[${appArmor}/c]: Invalid value: "x": invalid AppArmor profile name: "x"`,
    ],
    [
      annotated(
        { [seccomp]: 'unconfined' },
        withSpec({ securityContext: { seccompProfile: { type: 'RuntimeDefault' } } }),
      ),
      'spec.securityContext.seccompProfile.type: Forbidden: seccomp type in annotation and field must match',
    ],
    [
      annotated(
        { [`${appArmor}/c`]: 'localhost/a' },
        pod({ securityContext: { appArmorProfile: { type: 'Localhost', localhostProfile: 'b' } } }),
      ),
      `${c}.securityContext.appArmorProfile.localhostProfile: Forbidden: apparmor profile in annotation and field must match`,
    ],
  ])
})

test('no template has ephemeral containers', () => {
  const spec = { containers: [{ name: 'c', image: 'a' }], ephemeralContainers: [{ name: 'e', image: 'a' }] }
  expect(problemsOf('podtemplates', { template: { spec } })).toEqual([
    'template.spec.ephemeralContainers: Forbidden: ephemeral containers not allowed in pod template',
  ])
})
