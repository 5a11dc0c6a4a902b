import type { Container, Pod } from '@dinghy/shared/api/types'
import { describe, expect, test } from 'vitest'
import { created, definitionOf, problemsOf, problemsOfUpdate } from '../../testing/kind-fixture.ts'
import { qosClass } from './qos.ts'

function pod(container: object = {}, spec: object = {}) {
  return {
    spec: { containers: [{ name: 'c', image: 'busybox', ...container }], ...spec },
  }
}

describe('defaults', () => {
  test('of a bare pod', () => {
    expect(created('pods', pod())).toMatchObject({
      spec: {
        restartPolicy: 'Always',
        terminationGracePeriodSeconds: 30,
        dnsPolicy: 'ClusterFirst',
        schedulerName: 'default-scheduler',
        enableServiceLinks: true,
        securityContext: {},
        containers: [
          {
            imagePullPolicy: 'Always',
            terminationMessagePath: '/dev/termination-log',
            terminationMessagePolicy: 'File',
            resources: {},
          },
        ],
      },
      status: { phase: 'Pending', qosClass: 'BestEffort' },
    })
  })

  test('a pod behind a gate says why it is not scheduled', () => {
    const spec = { schedulingGates: [{ name: 'example.com/quota' }] }
    expect(created('pods', pod({}, spec))).toMatchObject({
      status: { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }] },
    })
  })

  test.each([
    ['busybox', 'Always'],
    ['busybox:latest', 'Always'],
    ['busybox:1.36', 'IfNotPresent'],
    ['localhost:5000/app', 'Always'],
    ['localhost:5000/app:1', 'IfNotPresent'],
    ['busybox@sha256:abc', 'IfNotPresent'],
  ])('%s is pulled %s', (image, policy) => {
    expect(created('pods', pod({ image }))).toMatchObject({ spec: { containers: [{ imagePullPolicy: policy }] } })
  })

  test('probes, ports and volumes', () => {
    const container = {
      ports: [{ containerPort: 80 }],
      livenessProbe: { httpGet: { port: 80 } },
      lifecycle: { preStop: { httpGet: { port: 80 } } },
      env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
    }
    const volumes = [
      { name: 'nothing' },
      { name: 'config', configMap: { name: 'm' } },
      { name: 'host', hostPath: { path: '/x' } },
      { name: 'token', projected: { sources: [{ serviceAccountToken: { path: 't' } }] } },
    ]
    expect(created('pods', pod(container, { volumes })).spec).toMatchObject({
      containers: [
        {
          ports: [{ protocol: 'TCP' }],
          livenessProbe: {
            httpGet: { path: '/', scheme: 'HTTP' },
            timeoutSeconds: 1,
            periodSeconds: 10,
            successThreshold: 1,
            failureThreshold: 3,
          },
          lifecycle: { preStop: { httpGet: { path: '/' } } },
          env: [{ valueFrom: { fieldRef: { apiVersion: 'v1' } } }],
        },
      ],
      volumes: [
        { emptyDir: {} },
        { configMap: { defaultMode: 420 } },
        { hostPath: { type: '' } },
        { projected: { defaultMode: 420, sources: [{ serviceAccountToken: { expirationSeconds: 3600 } }] } },
      ],
    })
  })

  test('limits are requests where no requests are given', () => {
    const resources = { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '500m' } }
    expect(created('pods', pod({ resources }))).toMatchObject({
      spec: { containers: [{ resources: { requests: { cpu: '500m', memory: '1Gi' } } }] },
    })
  })

  test('host ports follow container ports on the host network', () => {
    const object = created('pods', pod({ ports: [{ containerPort: 80 }] }, { hostNetwork: true }))
    expect(object).toMatchObject({ spec: { containers: [{ ports: [{ hostPort: 80 }] }] } })
  })

  test('the old name of serviceAccountName is kept in step', () => {
    expect(created('pods', pod({}, { serviceAccount: 'a' })).spec).toMatchObject({ serviceAccountName: 'a' })
    expect(created('pods', pod({}, { serviceAccountName: 'b' })).spec).toMatchObject({ serviceAccount: 'b' })
  })
})

describe('a pod may not', () => {
  const at = 'spec.containers[0]'

  test.each<[string, object, string]>([
    ['have no containers', { spec: {} }, 'spec.containers: Required value'],
    ['have a container without an image', pod({ image: '' }), `${at}.image: Required value`],
    [
      'have an image with spaces around it',
      pod({ image: ' a' }),
      `${at}.image: Invalid value: " a": must not have leading or trailing whitespace`,
    ],
    [
      'have two containers of one name',
      {
        spec: {
          containers: [
            { name: 'c', image: 'a' },
            { name: 'c', image: 'a' },
          ],
        },
      },
      'spec.containers[1].name: Duplicate value: "c"',
    ],
    [
      'have an unknown restart policy',
      pod({}, { restartPolicy: 'Sometimes' }),
      'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
    ],
    [
      'have an unknown pull policy',
      pod({ imagePullPolicy: 'Maybe' }),
      `${at}.imagePullPolicy: Unsupported value: "Maybe": supported values: "Always", "IfNotPresent", "Never"`,
    ],
    [
      'listen beyond 65535',
      pod({ ports: [{ containerPort: 70000 }] }),
      `${at}.ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive`,
    ],
    ['listen without a port', pod({ ports: [{ name: 'a' }] }), `${at}.ports[0].containerPort: Required value`],
    [
      'name two ports alike',
      pod({
        ports: [
          { containerPort: 1, name: 'a' },
          { containerPort: 2, name: 'a' },
        ],
      }),
      `${at}.ports[1].name: Duplicate value: "a"`,
    ],
    [
      'take a host port twice',
      pod({
        ports: [
          { containerPort: 1, hostPort: 80 },
          { containerPort: 2, hostPort: 80 },
        ],
      }),
      `${at}.ports[1].hostPort: Duplicate value: "TCP//80"`,
    ],
    [
      'share its mounts without being privileged',
      pod(
        { volumeMounts: [{ name: 'v', mountPath: '/v', mountPropagation: 'Bidirectional' }] },
        { volumes: [{ name: 'v', emptyDir: {} }] },
      ),
      `${at}.volumeMounts.mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged containers`,
    ],
    [
      'be read-only below a mount that is not',
      pod(
        { volumeMounts: [{ name: 'v', mountPath: '/v', recursiveReadOnly: 'Enabled' }] },
        { volumes: [{ name: 'v', emptyDir: {} }] },
      ),
      `${at}.volumeMounts.recursiveReadOnly: Forbidden: may only be specified when readOnly is true`,
    ],
    [
      'sleep longer than it may take to end',
      pod({ lifecycle: { preStop: { sleep: { seconds: 31 } } } }),
      `${at}.lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than terminationGracePeriodSeconds (30)`,
    ],
    [
      'project two files to one path',
      pod(
        {},
        {
          volumes: [
            {
              name: 'v',
              projected: {
                sources: [
                  { configMap: { name: 'm', items: [{ key: 'a', path: 'f' }] } },
                  { secret: { name: 's', items: [{ key: 'b', path: 'f' }] } },
                ],
              },
            },
          ],
        },
      ),
      'spec.volumes[0].projected: Invalid value: "s": conflicting duplicate paths',
    ],
    [
      'set a sysctl that can be none',
      pod({}, { securityContext: { sysctls: [{ name: 'a b', value: '1' }] } }),
      'spec.securityContext.sysctls[0].name: Invalid value: "a b": must have at most 253 characters and match regex',
    ],
    [
      'be made with a container to debug it',
      pod({}, { ephemeralContainers: [{ name: 'e', image: 'a' }] }),
      'spec.ephemeralContainers: Forbidden: cannot be set on create',
    ],
    [
      'bring a claim that says nothing',
      pod({}, { volumes: [{ name: 'v', ephemeral: { volumeClaimTemplate: {} } }] }),
      'spec.volumes[0].ephemeral.volumeClaimTemplate.spec.accessModes: Required value: at least 1 access mode is required',
    ],
    [
      'wait at one gate twice',
      pod({}, { schedulingGates: [{ name: 'a' }, { name: 'a' }] }),
      'spec.schedulingGates[1]: Duplicate value: "a"',
    ],
    [
      'be on a node while it waits at a gate',
      pod({}, { nodeName: 'n', schedulingGates: [{ name: 'a' }] }),
      'spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared',
    ],
    [
      'ask for a device without a limit',
      pod({ resources: { requests: { 'example.com/gpu': '1' } } }),
      `${at}.resources.limits: Required value: Limit must be set for non overcommitable resources`,
    ],
    [
      'mount a volume it does not have',
      pod({ volumeMounts: [{ name: 'v', mountPath: '/v' }] }),
      `${at}.volumeMounts[0].name: Not found: "v"`,
    ],
    [
      'mount two volumes in one place',
      pod(
        {
          volumeMounts: [
            { name: 'v', mountPath: '/v' },
            { name: 'v', mountPath: '/v' },
          ],
        },
        { volumes: [{ name: 'v' }] },
      ),
      `${at}.volumeMounts[1].mountPath: Invalid value: "/v": must be unique`,
    ],
    [
      'climb out of a volume',
      pod({ volumeMounts: [{ name: 'v', mountPath: '/v', subPath: '../x' }] }, { volumes: [{ name: 'v' }] }),
      `${at}.volumeMounts.subPath: Invalid value: "../x": must not contain '..'`,
    ],
    [
      'give a volume two sources',
      pod({}, { volumes: [{ name: 'v', emptyDir: {}, hostPath: { path: '/x' } }] }),
      'spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type',
    ],
    [
      'have two volumes of one name',
      pod({}, { volumes: [{ name: 'v' }, { name: 'v' }] }),
      'spec.volumes[1].name: Duplicate value: "v"',
    ],
    [
      'mount a secret without a name',
      pod({}, { volumes: [{ name: 'v', secret: {} }] }),
      'spec.volumes[0].secret.secretName: Required value',
    ],
    [
      'give files impossible modes',
      pod({}, { volumes: [{ name: 'v', configMap: { name: 'm', defaultMode: 660 } }] }),
      'spec.volumes[0].configMap.defaultMode: Invalid value: 660: must be a number between 0 and 0777 (octal), both inclusive',
    ],
    [
      'ask for more than it may have',
      pod({ resources: { requests: { cpu: '2' }, limits: { cpu: '1' } } }),
      `${at}.resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1`,
    ],
    [
      'ask for an unknown resource',
      pod({ resources: { requests: { cups: '2' } } }),
      `${at}.resources.requests[cups]: Invalid value: "cups": must be a standard resource for containers`,
    ],
    [
      'ask for less than nothing',
      pod({ resources: { requests: { cpu: '-1' } } }),
      `${at}.resources.requests[cpu]: Invalid value: "-1": must be greater than or equal to 0`,
    ],
    [
      'probe in two ways',
      pod({ livenessProbe: { exec: { command: ['a'] }, tcpSocket: { port: 1 } } }),
      `${at}.livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type`,
    ],
    [
      'probe in no way',
      pod({ readinessProbe: {} }),
      `${at}.readinessProbe: Required value: must specify a handler type`,
    ],
    [
      'be alive after two successes only',
      pod({ livenessProbe: { tcpSocket: { port: 1 }, successThreshold: 2 } }),
      `${at}.livenessProbe.successThreshold: Invalid value: 2: must be 1`,
    ],
    [
      'take a variable from nowhere',
      pod({ env: [{ name: 'A', valueFrom: {} }] }),
      `${at}.env[0].valueFrom: Invalid value: "": must specify one of: \`fieldRef\`, \`resourceFieldRef\`, \`configMapKeyRef\` or \`secretKeyRef\``,
    ],
    [
      'take a variable from a field that is none',
      pod({ env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'spec.foo' } } }] }),
      `${at}.env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.foo": error converting fieldPath: field label not supported: spec.foo`,
    ],
    [
      'be privileged without escalating',
      pod({ securityContext: { privileged: true, allowPrivilegeEscalation: false } }),
      'cannot set `allowPrivilegeEscalation` to false and `privileged` to true',
    ],
    [
      'tolerate everything but with a value',
      pod({}, { tolerations: [{ operator: 'Exists', value: 'x' }] }),
      "value must be empty when `operator` is 'Exists'",
    ],
    [
      'tolerate for a while what evicts nobody',
      pod({}, { tolerations: [{ key: 'a', operator: 'Exists', effect: 'NoSchedule', tolerationSeconds: 1 }] }),
      "effect must be 'NoExecute' when `tolerationSeconds` is set",
    ],
    [
      'prefer a node without measure',
      pod(
        {},
        {
          affinity: {
            nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 0, preference: {} }] },
          },
        },
      ),
      'must be in the range 1-100',
    ],
    [
      'spread without a topology',
      pod({}, { topologySpreadConstraints: [{ maxSkew: 1, topologyKey: '', whenUnsatisfiable: 'DoNotSchedule' }] }),
      'spec.topologySpreadConstraints[0].topologyKey: Required value: can not be empty',
    ],
    [
      'probe an init container',
      {
        spec: {
          containers: [{ name: 'c', image: 'a' }],
          initContainers: [{ name: 'i', image: 'a', livenessProbe: { tcpSocket: { port: 1 } } }],
        },
      },
      'spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always',
    ],
    [
      'have a name with capitals',
      { metadata: { name: 'Web' }, ...pod() },
      'metadata.name: Invalid value: "Web": a lowercase RFC 1123 subdomain must consist of',
    ],
    [
      'have a finalizer of no one',
      { metadata: { finalizers: ['mine'] }, ...pod() },
      'metadata.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified',
    ],
  ])('%s', (_, object, message) => {
    expect(problemsOf('pods', object).join('\n')).toContain(message)
  })

  test('while an ordinary one is fine', () => {
    expect(problemsOf('pods', pod({ ports: [{ containerPort: 80, name: 'http' }] }))).toEqual([])
  })

  test('nor is a limit too small that no runtime could keep: that is for the node to say', () => {
    expect(problemsOf('pods', pod({ resources: { limits: { memory: '1Mi' } } }))).toEqual([])
  })
})

function edit(containers: Container[], change: Partial<Container>): void {
  Object.assign(containers.at(0) ?? {}, change)
}

describe('an existing pod', () => {
  type Spec = Pod['spec']
  const change = (make: (spec: Spec) => void) =>
    problemsOfUpdate('pods', pod({}, { tolerations: [{ key: 'a', operator: 'Exists' }] }), ({ spec }) =>
      make(spec as unknown as Spec),
    )

  test.each<[string, (spec: Spec) => void]>([
    ['image', (spec) => edit(spec.containers, { image: 'other' })],
    ['one toleration more', (spec) => void spec.tolerations?.push({ key: 'b', operator: 'Exists' })],
    ['a deadline', (spec) => void (spec.activeDeadlineSeconds = 5)],
    ['nothing', () => undefined],
  ])('may change: %s', (_, make) => {
    expect(change(make)).toEqual([])
  })

  test.each<[string, (spec: Spec) => void, string]>([
    [
      'its node',
      (spec) => void (spec.nodeName = 'n'),
      'spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`',
    ],
    ['a command', (spec) => edit(spec.containers, { command: ['x'] }), '+ spec.containers[0].command: ["x"]'],
    [
      'the number of containers',
      (spec) => void spec.containers.push({ name: 'd', image: 'x' }),
      'spec.containers: Forbidden: pod updates may not add or remove containers',
    ],
    [
      'a toleration',
      (spec) => void (spec.tolerations = []),
      'spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds',
    ],
  ])('may not change: %s', (_, make, message) => {
    expect(change(make).join('\n')).toContain(message)
  })
})

describe('through subresources', () => {
  const previous = created('pods', pod()) as unknown as Pod
  const rules = definitionOf('pods').strategy.subresources ?? {}

  test('ephemeralcontainers adds containers and leaves all else alone', () => {
    const next = structuredClone(previous)
    edit(next.spec.containers, { image: 'sneaky' })
    next.spec.ephemeralContainers = [
      { name: 'debug', image: 'busybox', imagePullPolicy: 'Always', terminationMessagePolicy: 'File' },
    ]
    rules['ephemeralcontainers']?.prepareForUpdate?.(next, previous)
    expect(next.spec.containers).toEqual(previous.spec.containers)
    expect(rules['ephemeralcontainers']?.validateUpdate?.(next, previous)).toEqual([])
    expect(rules['ephemeralcontainers']?.validateUpdate?.(previous, next)).toMatchObject([
      { detail: 'existing ephemeral containers "debug" may not be removed\n' },
    ])
  })

  test('resize changes resources only', () => {
    const next = structuredClone(previous)
    next.spec.nodeName = 'sneaky'
    edit(next.spec.containers, { resources: { requests: { cpu: '1' } } })
    rules['resize']?.prepareForUpdate?.(next, previous)
    expect(next.spec).toEqual({
      ...previous.spec,
      containers: [{ ...previous.spec.containers[0], resources: { requests: { cpu: '1' } } }],
    })
  })
})

describe('graceful deletion', () => {
  const seconds = (object: object, requested?: number) =>
    definitionOf('pods').strategy.gracefulDelete?.({ ...created('pods', pod()), ...object }, requested)
  const onNode = { spec: { nodeName: 'n', terminationGracePeriodSeconds: 7 }, status: { phase: 'Running' } }

  test.each([
    ['its own period', onNode, undefined, 7],
    ['what is asked for', onNode, 3, 3],
    ['none if forced', onNode, 0, 0],
    ['none before it has a node', { ...onNode, spec: {} }, undefined, 0],
    ['none after its end', { ...onNode, status: { phase: 'Succeeded' } }, undefined, 0],
    ['a second if negative', onNode, -5, 1],
  ])('takes %s', (_, object, requested, expected) => {
    expect(seconds(object, requested)).toBe(expected)
  })
})

test.each<[string, object[], string]>([
  ['nothing asked', [{}], 'BestEffort'],
  [
    'limits for all',
    [{ limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '1000m', memory: '1Gi' } }],
    'Guaranteed',
  ],
  ['one resource missing', [{ limits: { cpu: '1' } }], 'Burstable'],
  ['one container missing', [{ limits: { cpu: '1', memory: '1Gi' } }, {}], 'Burstable'],
  ['requests below limits', [{ limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '1m' } }], 'Burstable'],
])('quality of service: %s', (_, resources, expected) => {
  expect(qosClass({ containers: resources.map((r, i) => ({ name: `c${i}`, resources: r })) })).toBe(expected)
})
