import { expect, test } from 'vitest'
import type { PodSpec } from './check.ts'
import { describeViolations, type Level, policyOf, violations } from './policy.ts'

const hardened = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  runAsNonRoot: true,
  seccompProfile: { type: 'RuntimeDefault' },
}

/** A container with these fields of its securityContext, and with those that "restricted" wants. */
function container(name: string, securityContext: object = {}, more: object = {}) {
  return { name, image: 'x', securityContext: { ...hardened, ...securityContext }, ...more }
}

function found(level: Level, spec: object, version = 'latest', annotations: Record<string, string> = {}): string {
  return describeViolations(violations({ level, version }, { annotations, spec: spec as PodSpec }))
}

test('a bare pod keeps to baseline, and not to restricted', () => {
  const bare = { containers: [{ name: 'c', image: 'x' }] }
  expect(found('privileged', { ...bare, hostPID: true })).toBe('')
  expect(found('baseline', bare)).toBe('')
  expect(found('restricted', bare)).toBe(
    'allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), ' +
      'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), ' +
      'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), ' +
      'seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
  )
})

test('a hardened pod keeps to restricted', () => {
  const volumes = [
    { name: 'a', emptyDir: {} },
    { name: 'b', configMap: {} },
    { name: 'c', projected: {} },
  ]
  expect(found('restricted', { containers: [container('c')], volumes })).toBe('')
})

test.each<[spec: object, violation: string]>([
  [
    { hostNetwork: true, hostPID: true, hostIPC: true },
    'host namespaces (hostNetwork=true, hostPID=true, hostIPC=true)',
  ],
  [{ volumes: [{ name: 'v', hostPath: {} }] }, 'hostPath volumes (volume "v")'],
  [
    { containers: [container('a', {}, { ports: [{ hostPort: 80 }, { hostPort: 443 }] }), container('b')] },
    'hostPort (container "a" uses hostPorts 443, 80)',
  ],
  [
    { initContainers: [container('i', { privileged: true })], containers: [container('a', { privileged: true })] },
    'privileged (containers "i", "a" must not set securityContext.privileged=true)',
  ],
  [
    { containers: [container('a', { capabilities: { add: ['NET_ADMIN', 'CHOWN'] } })] },
    'non-default capabilities (container "a" must not include "NET_ADMIN" in securityContext.capabilities.add)',
  ],
  [
    { containers: [container('a', { procMount: 'Unmasked' })] },
    'procMount (container "a" must not set securityContext.procMount to "Unmasked")',
  ],
  [
    { securityContext: { seLinuxOptions: { type: 'spc_t', user: 'u' } } },
    'seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set)',
  ],
  [
    { securityContext: { seccompProfile: { type: 'Unconfined' } } },
    'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
  ],
  [{ securityContext: { sysctls: [{ name: 'kernel.msgmax' }] } }, 'forbidden sysctls (kernel.msgmax)'],
  [
    { securityContext: { windowsOptions: { hostProcess: true } } },
    'hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)',
  ],
  [
    { containers: [container('a', { appArmorProfile: { type: 'Unconfined' } })] },
    'forbidden AppArmor profile (container "a" must not set AppArmor profile type to "Unconfined")',
  ],
])('%j: %s', (spec, violation) => {
  expect(found('baseline', { containers: [container('c')], ...spec })).toBe(violation)
})

test.each<[spec: object, violation: string]>([
  [
    {
      volumes: [
        { name: 'v', hostPath: {} },
        { name: 'n', nfs: {} },
      ],
    },
    'restricted volume types (volumes "v", "n" use restricted volume types "hostPath", "nfs")',
  ],
  [
    { containers: [container('a', { capabilities: { drop: ['ALL'], add: ['CHOWN'] } })] },
    'unrestricted capabilities (container "a" must not include "CHOWN" in securityContext.capabilities.add)',
  ],
  [
    { securityContext: { runAsNonRoot: false }, containers: [container('a', { runAsNonRoot: false })] },
    'runAsNonRoot != true (pod and container "a" must not set securityContext.runAsNonRoot=false)',
  ],
  [{ containers: [container('a', { runAsUser: 0 })] }, 'runAsUser=0 (container "a" must not set runAsUser=0)'],
  [
    { containers: [container('a', { seccompProfile: { type: 'Unconfined' } })] },
    'seccompProfile (container "a" must not set securityContext.seccompProfile.type to "Unconfined")',
  ],
  [{ os: { name: 'windows' }, containers: [{ name: 'a', securityContext: { runAsNonRoot: true } }] }, ''],
])('restricted, %j: %s', (spec, violation) => {
  expect(found('restricted', { containers: [container('c')], ...spec })).toBe(violation)
})

test.each([
  ['v1.21', ''],
  ['v1.22', 'unrestricted capabilities (container "a" must set securityContext.capabilities.drop=["ALL"])'],
])('restricted as %s has it', (version, violation) => {
  expect(found('restricted', { containers: [container('a', { capabilities: {} })] }, version)).toBe(violation)
})

test.each([
  ['net.ipv4.tcp_rmem', 'v1.31', 'forbidden sysctls (net.ipv4.tcp_rmem)'],
  ['net.ipv4.tcp_rmem', 'v1.32', ''],
  ['net.ipv4.tcp_rmem', 'latest', ''],
])('%s is what %s calls safe: %s', (name, version, violation) => {
  const spec = { containers: [container('a')], securityContext: { sysctls: [{ name }] } }
  expect(found('baseline', spec, version)).toBe(violation)
})

test('annotations of old', () => {
  const annotations = { 'container.apparmor.security.beta.kubernetes.io/a': 'unconfined' }
  expect(found('baseline', { containers: [container('a')] }, 'latest', annotations)).toContain(
    'forbidden AppArmor profile (annotation must not set AppArmor profile type to',
  )
})

test('the policy of a namespace', () => {
  const latest = { level: 'privileged', version: 'latest' }
  expect(policyOf()).toEqual({ policy: { enforce: latest, audit: latest, warn: latest }, problems: [] })
  const { policy } = policyOf({
    'pod-security.kubernetes.io/enforce': 'baseline',
    'pod-security.kubernetes.io/enforce-version': 'v1.30',
    'pod-security.kubernetes.io/warn': 'restricted',
  })
  expect(policy.enforce).toEqual({ level: 'baseline', version: 'v1.30' })
  expect(policy.warn).toEqual({ level: 'restricted', version: 'latest' })
})

test('a level that nobody knows is strict where it refuses, and harmless elsewhere', () => {
  const { policy, problems } = policyOf({
    'pod-security.kubernetes.io/enforce': 'tight',
    'pod-security.kubernetes.io/audit': 'tight',
    'pod-security.kubernetes.io/warn-version': '1.30',
  })
  expect([policy.enforce.level, policy.audit.level, policy.warn.version]).toEqual([
    'restricted',
    'privileged',
    'latest',
  ])
  expect(problems.map(({ field, detail }) => `${field}: ${detail}`)).toEqual([
    'metadata.labels[pod-security.kubernetes.io/enforce]: must be one of privileged, baseline, restricted',
    'metadata.labels[pod-security.kubernetes.io/audit]: must be one of privileged, baseline, restricted',
    'metadata.labels[pod-security.kubernetes.io/warn-version]: must be "latest" or "v1.x"',
  ])
})
