/**
 * The checks of the level "baseline": what would let a pod out of itself by a known way. Follows
 * pod-security-admission/policy/check_*.go, one function a file of that, in its words.
 */

import {
  type Check,
  type CheckedPod,
  containerList,
  containersOf,
  distinct,
  plural,
  quoted,
  setters,
  type Violation,
} from './check.ts'

export const baselineChecks: Check[] = [
  { id: 'appArmorProfile', since: 0, run: appArmorProfile },
  { id: 'capabilities_baseline', since: 0, overriddenSince: 22, run: capabilities },
  { id: 'hostNamespaces', since: 0, run: hostNamespaces },
  { id: 'hostPathVolumes', since: 0, overriddenSince: 0, run: hostPathVolumes },
  { id: 'hostPorts', since: 0, run: hostPorts },
  { id: 'privileged', since: 0, run: privileged },
  { id: 'procMount', since: 0, run: procMount },
  { id: 'seLinuxOptions', since: 0, run: seLinuxOptions },
  { id: 'seccompProfile_baseline', since: 19, overriddenSince: 19, run: seccompProfile },
  { id: 'sysctls', since: 0, run: sysctls },
  { id: 'windowsHostProcess', since: 0, run: windowsHostProcess },
]

const appArmorPrefix = 'container.apparmor.security.beta.kubernetes.io/'

function appArmorProfile({ annotations, spec }: CheckedPod): Violation | undefined {
  const isBad = (type: string | undefined) => type !== undefined && !['RuntimeDefault', 'Localhost'].includes(type)
  const ofPod = spec.securityContext?.appArmorProfile?.type
  const containers = containersOf(spec).filter(({ securityContext }) => isBad(securityContext?.appArmorProfile?.type))
  const types = [
    ...(isBad(ofPod) ? [ofPod] : []),
    ...containers.map((one) => one.securityContext?.appArmorProfile?.type),
  ]
  const noted = Object.entries(annotations)
    .filter(([key, value]) => key.startsWith(appArmorPrefix) && !/^($|runtime\/default$|localhost\/)/.test(value))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .sort()
  const values = [...distinct(types.map(String)), ...noted]
  if (values.length === 0) return undefined
  const who = [setters(isBad(ofPod), containers), noted.length > 0 ? plural('annotation', noted.length) : undefined]
  return {
    reason: plural('forbidden AppArmor profile', values.length),
    detail: `${who.filter(Boolean).join(' and ')} must not set AppArmor profile type to ${quoted(values)}`,
  }
}

const defaultCapabilities = new Set(
  'AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT'.split(
    ' ',
  ),
)

function capabilities({ spec }: CheckedPod): Violation | undefined {
  const added = (container: ReturnType<typeof containersOf>[number]) =>
    (container.securityContext?.capabilities?.add ?? []).filter((name) => !defaultCapabilities.has(name))
  const bad = containersOf(spec).filter((container) => added(container).length > 0)
  const who = containerList(bad)
  const names = quoted(distinct(bad.flatMap(added)))
  return who
    ? {
        reason: 'non-default capabilities',
        detail: `${who} must not include ${names} in securityContext.capabilities.add`,
      }
    : undefined
}

function hostNamespaces({ spec }: CheckedPod): Violation | undefined {
  const shared = (['hostIPC', 'hostNetwork', 'hostPID'] as const).filter((name) => spec[name])
  if (shared.length === 0) return undefined
  // Upstream looks at them in this order.
  const told = ['hostNetwork', 'hostPID', 'hostIPC'].filter((name) => shared.some((one) => one === name))
  return { reason: 'host namespaces', detail: told.map((name) => `${name}=true`).join(', ') }
}

function hostPathVolumes({ spec }: CheckedPod): Violation | undefined {
  const names = (spec.volumes ?? []).filter(({ hostPath }) => hostPath).map(({ name }) => name)
  if (names.length === 0) return undefined
  return { reason: 'hostPath volumes', detail: `${plural('volume', names.length)} ${quoted(names)}` }
}

function hostPorts({ spec }: CheckedPod): Violation | undefined {
  const bad = containersOf(spec).filter(({ ports }) => ports?.some(({ hostPort }) => hostPort))
  const ports = distinct(bad.flatMap((one) => (one.ports ?? []).flatMap(({ hostPort }) => hostPort || []).map(String)))
  if (bad.length === 0) return undefined
  const verb = plural('uses', bad.length, 'use')
  return {
    reason: 'hostPort',
    detail: `${containerList(bad)} ${verb} ${plural('hostPort', ports.length)} ${ports.join(', ')}`,
  }
}

function privileged({ spec }: CheckedPod): Violation | undefined {
  const who = containerList(containersOf(spec).filter(({ securityContext }) => securityContext?.privileged))
  return who ? { reason: 'privileged', detail: `${who} must not set securityContext.privileged=true` } : undefined
}

function procMount({ spec }: CheckedPod): Violation | undefined {
  const bad = containersOf(spec).filter(
    ({ securityContext }) => (securityContext?.procMount ?? 'Default') !== 'Default',
  )
  const types = distinct(bad.map(({ securityContext }) => securityContext?.procMount ?? ''))
  const who = containerList(bad)
  return who
    ? { reason: 'procMount', detail: `${who} must not set securityContext.procMount to ${quoted(types)}` }
    : undefined
}

interface SeLinuxOptions {
  type?: string
  user?: string
  role?: string
}

function seLinuxOptions({ spec }: CheckedPod, minor: number): Violation | undefined {
  const allowed = [
    '',
    'container_t',
    'container_init_t',
    'container_kvm_t',
    ...(minor >= 31 ? ['container_engine_t'] : []),
  ]
  const isBad = (options?: SeLinuxOptions) =>
    options !== undefined && (!allowed.includes(options.type ?? '') || Boolean(options.user) || Boolean(options.role))
  const ofPod = spec.securityContext?.seLinuxOptions
  const bad = containersOf(spec).filter(({ securityContext }) => isBad(securityContext?.seLinuxOptions))
  const who = setters(isBad(ofPod), bad)
  if (!who) return undefined
  const all = [
    ...(ofPod ? [ofPod] : []),
    ...bad.flatMap(({ securityContext }) => securityContext?.seLinuxOptions ?? []),
  ]
  const types = distinct(all.map(({ type = '' }) => type).filter((type) => !allowed.includes(type)))
  const data = [
    ...(types.length > 0 ? [`${plural('type', types.length)} ${quoted(types)}`] : []),
    ...(all.some(({ user }) => user) ? ['user may not be set'] : []),
    ...(all.some(({ role }) => role) ? ['role may not be set'] : []),
  ]
  return {
    reason: 'seLinuxOptions',
    detail: `${who} set forbidden securityContext.seLinuxOptions: ${data.join('; ')}`,
  }
}

export function isAllowedSeccomp(type: string | undefined): boolean {
  return type === 'RuntimeDefault' || type === 'Localhost'
}

/** Whatever is set must be one of two. */
export function seccompProfile({ spec }: CheckedPod): Violation | undefined {
  const isBad = (profile?: { type?: string }) => profile !== undefined && !isAllowedSeccomp(profile.type)
  const ofPod = spec.securityContext?.seccompProfile
  const bad = containersOf(spec).filter(({ securityContext }) => isBad(securityContext?.seccompProfile))
  const who = setters(isBad(ofPod), bad)
  const types = [
    ...(isBad(ofPod) ? [ofPod?.type ?? ''] : []),
    ...bad.map(({ securityContext }) => securityContext?.seccompProfile?.type ?? ''),
  ]
  return who
    ? {
        reason: 'seccompProfile',
        detail: `${who} must not set securityContext.seccompProfile.type to ${quoted(distinct(types))}`,
      }
    : undefined
}

const safeSysctls: [since: number, names: string][] = [
  [
    0,
    'kernel.shm_rmid_forced net.ipv4.ip_local_port_range net.ipv4.tcp_syncookies net.ipv4.ping_group_range net.ipv4.ip_unprivileged_port_start',
  ],
  [27, 'net.ipv4.ip_local_reserved_ports'],
  [
    29,
    'net.ipv4.tcp_keepalive_time net.ipv4.tcp_fin_timeout net.ipv4.tcp_keepalive_intvl net.ipv4.tcp_keepalive_probes',
  ],
  [32, 'net.ipv4.tcp_rmem net.ipv4.tcp_wmem'],
]

function sysctls({ spec }: CheckedPod, minor: number): Violation | undefined {
  const safe = safeSysctls.flatMap(([since, names]) => (minor >= since ? names.split(' ') : []))
  const bad = (spec.securityContext?.sysctls ?? []).map(({ name }) => name).filter((name) => !safe.includes(name))
  return bad.length > 0 ? { reason: 'forbidden sysctls', detail: bad.join(', ') } : undefined
}

function windowsHostProcess({ spec }: CheckedPod): Violation | undefined {
  const bad = containersOf(spec).filter(({ securityContext }) => securityContext?.windowsOptions?.hostProcess)
  const who = setters(spec.securityContext?.windowsOptions?.hostProcess === true, bad)
  return who
    ? { reason: 'hostProcess', detail: `${who} must not set securityContext.windowsOptions.hostProcess=true` }
    : undefined
}
