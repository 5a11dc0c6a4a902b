/**
 * Columns of how traffic finds pods: Services, Endpoints, EndpointSlices, Ingresses and NetworkPolicies.
 */

import { isIPv6 } from 'node:net'
import type {
  Endpoints,
  EndpointSlice,
  Ingress,
  IngressClass,
  KubernetesObject,
  NetworkPolicy,
  Service,
} from '@dinghy/shared/api/types'
import type { Column } from '../resource-definition.ts'
import { ageColumn, column, firstThree, formatLabels, formatSelector, nameColumn, orNone, wide } from './column.ts'

export const serviceColumns: Column[] = [
  nameColumn,
  column<Service>('Type', 'How the service is exposed.', ({ spec }) => spec?.type ?? ''),
  column<Service>('Cluster-IP', 'The address inside the cluster.', ({ spec }) => orNone(spec?.clusterIP)),
  column<Service>('External-IP', 'Addresses outside the cluster.', externalIp),
  column<Service>('Port(s)', 'Ports, with the node port where there is one.', ({ spec }) =>
    orNone(
      (spec?.ports ?? [])
        .map((p) => (p.nodePort ? `${p.port}:${p.nodePort}/${p.protocol}` : `${p.port}/${p.protocol}`))
        .join(','),
    ),
  ),
  ageColumn,
  wide<Service>('Selector', 'Which pods serve it.', ({ spec }) => formatLabels(spec?.selector)),
]

export const endpointsColumns: Column[] = [
  nameColumn,
  column<Endpoints>('Endpoints', 'Addresses that are ready, with their ports.', formatEndpoints),
  ageColumn,
]

export const endpointSliceColumns: Column[] = [
  nameColumn,
  column<EndpointSlice>('AddressType', 'IPv4, IPv6 or FQDN.', ({ addressType }) => addressType),
  column<EndpointSlice>('Ports', 'Ports that every endpoint serves.', ({ ports }) => {
    if (!ports || ports.length === 0) return '<unset>'
    return firstThree(ports.map((p) => String(p.port ?? (p.name ? `*:${p.name}` : '*'))))
  }),
  column<EndpointSlice>('Endpoints', 'Their addresses.', ({ endpoints }) => {
    const addresses = (endpoints ?? []).flatMap((endpoint) => endpoint.addresses)
    return addresses.length === 0 ? '<unset>' : firstThree(addresses)
  }),
  ageColumn,
]

export const ingressColumns: Column[] = [
  nameColumn,
  column<Ingress>('Class', 'Which controller serves it.', ({ spec, metadata }) =>
    orNone(spec?.ingressClassName ?? metadata.annotations?.['kubernetes.io/ingress.class']),
  ),
  column<Ingress>('Hosts', 'Host names it answers to.', ({ spec }) => {
    const rules = spec?.rules ?? []
    const hosts = rules.map((rule) => rule.host ?? '').filter((host) => host !== '')
    return hosts.length === 0 ? '*' : firstThree(hosts, rules.length > 3 ? rules.length : hosts.length)
  }),
  column<Ingress>('Address', 'Where it is reached.', ({ status }) => formatIngress(status?.loadBalancer?.ingress)),
  column<Ingress>('Ports', 'Ports it listens on.', ({ spec }) => (spec?.tls?.length ? '80, 443' : '80')),
  ageColumn,
]

export const ingressClassColumns: Column[] = [
  nameColumn,
  column<IngressClass>('Controller', 'The controller behind the class.', ({ spec }) => spec?.controller ?? ''),
  column<IngressClass>('Parameters', 'Where its settings are.', ({ spec }) => {
    const { parameters } = spec ?? {}
    if (!parameters) return '<none>'
    return `${parameters.kind}${parameters.apiGroup ? `.${parameters.apiGroup}` : ''}/${parameters.name}`
  }),
  ageColumn,
]

export const networkPolicyColumns: Column[] = [
  nameColumn,
  column<NetworkPolicy>('Pod-Selector', 'Which pods it protects.', ({ spec }) => formatSelector(spec?.podSelector)),
  ageColumn,
]

interface IPAddress extends KubernetesObject {
  spec?: { parentRef?: { group?: string; resource?: string; namespace?: string; name?: string } }
}

export const ipAddressColumns: Column[] = [
  nameColumn,
  column<IPAddress>('ParentRef', 'What the address is used by.', ({ spec }) => {
    const { group, resource, namespace, name } = spec?.parentRef ?? {}
    return [resource && group ? `${resource}.${group}` : resource, namespace, name].filter(Boolean).join('/')
  }),
  ageColumn,
]

interface ServiceCIDR extends KubernetesObject {
  spec?: { cidrs?: string[] }
}

export const serviceCidrColumns: Column[] = [
  nameColumn,
  column<ServiceCIDR>('CIDRs', 'Where Service addresses come from.', ({ spec }) => (spec?.cidrs ?? []).join(',')),
  ageColumn,
]

function externalIp({ spec, status }: Service): string {
  const external = spec?.externalIPs ?? []
  switch (spec?.type) {
    case 'ClusterIP':
    case 'NodePort':
      return orNone(external.join(','))
    case 'LoadBalancer': {
      const balanced = formatIngress(status?.loadBalancer?.ingress)
      return [...(balanced === '' ? [] : [balanced]), ...external].join(',') || '<pending>'
    }
    case 'ExternalName':
      return spec.externalName ?? ''
    default:
      return '<unknown>'
  }
}

function formatIngress(ingress: { ip?: string; hostname?: string }[] | undefined): string {
  return [...new Set((ingress ?? []).map(({ ip, hostname }) => ip || hostname || '').filter((text) => text !== ''))]
    .sort()
    .join(',')
}

function formatEndpoints({ subsets }: Endpoints): string {
  const all = (subsets ?? []).flatMap(({ addresses = [], ports = [] }) =>
    ports.length === 0
      ? addresses.map(({ ip }) => ip)
      : ports.flatMap(({ port }) => addresses.map(({ ip }) => (isIPv6(ip) ? `[${ip}]:${port}` : `${ip}:${port}`))),
  )
  return all.length === 0 ? '<none>' : firstThree(all)
}
