/** Gateways and their routes: who is attached to what, what is served, and what the statuses say. */

import type { Service } from '@dinghy/shared/api/types'
import { describe, expect, test } from 'vitest'
import { type ClusterModel, clusterModel, type ClusterObjects } from './cluster-model.ts'
import { gatewayStatus, routeStatus } from './gateway/conditions.ts'
import type {
  Condition,
  Gateway,
  GatewayClass,
  HttpRoute,
  HttpRule,
  ListenerSpec,
  ReferenceGrant,
} from './gateway/types.ts'
import { controllerName } from './routing/ingress-routes.ts'
import { RouteTable } from './routing/route-table.ts'

const now = '2025-06-01T00:00:00Z'
function meta(name: string, namespace = 'shop', creationTimestamp = '2025-01-01T00:00:00Z') {
  return { name, namespace, uid: name, resourceVersion: '1', generation: 3, creationTimestamp }
}

function gateway(
  listeners: Partial<ListenerSpec>[],
  more: { name?: string; createdAt?: string; spec?: object } = {},
): Gateway {
  const { name = 'main', createdAt, spec } = more
  const all = listeners.map((one, index) => ({ name: `l${index}`, port: 80, protocol: 'HTTP', ...one }))
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: meta(name, 'shop', createdAt),
    spec: { gatewayClassName: 'dinghy', listeners: all, ...spec },
    status: {},
  }
}

function route(spec: Partial<HttpRoute['spec']>, name = 'web', namespace = 'shop'): HttpRoute {
  const parentRefs = [{ name: 'main', ...(namespace === 'shop' ? {} : { namespace: 'shop' }) }]
  const rules: HttpRule[] = [{ backendRefs: [{ name: 'web', port: 80 }] }]
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: meta(name, namespace),
    spec: { parentRefs, rules, ...spec },
    status: {},
  }
}

function service(port: number, appProtocol?: string): Service {
  return { spec: { ports: [{ port, ...(appProtocol ? { appProtocol } : {}) }] } } as unknown as Service
}

const ourClass = { metadata: { name: 'dinghy' }, spec: { controllerName } } as unknown as GatewayClass

function model(objects: Partial<ClusterObjects>): ClusterModel {
  const services = new Map([
    ['shop/web', service(80)],
    ['other/web', service(80)],
    ['shop/mqtt', service(80, 'mqtt')],
  ])
  return clusterModel({
    ingresses: [],
    ingressClasses: [],
    gatewayClasses: [ourClass],
    gateways: [],
    httpRoutes: [],
    grpcRoutes: [],
    grants: [],
    service: (key) => services.get(key),
    certificateProblem: (key) => (key === 'shop/tls' ? undefined : `local SSL certificate ${key} was not found`),
    namespaceLabels: (name) => ({ shop: { team: 'a' }, other: { team: 'b' } })[name],
    portProblem: () => undefined,
    ...objects,
  })
}

function conditionsOf(conditions: Condition[] = []): Record<string, string> {
  return Object.fromEntries(conditions.map(({ type, status, reason }) => [type, `${status} ${reason}`]))
}

/** The conditions of the Gateway, and of each listener. */
function gatewayConditions(one: Gateway, more: Partial<ClusterObjects> = {}) {
  const { gateways } = model({ gateways: [one], ...more })
  const status = gatewayStatus(one, gateways.get(`shop/${one.metadata.name}`) ?? [], ['127.64.0.80'], now)
  return {
    gateway: conditionsOf(status.conditions),
    listeners: (status.listeners ?? []).map((listener) => ({
      ...listener,
      conditions: conditionsOf(listener.conditions),
    })),
    addresses: status.addresses,
  }
}

/** Of the only parent. */
function routeConditions(one: HttpRoute, gateways: Gateway[], more: Partial<ClusterObjects> = {}) {
  const made = model({ gateways, httpRoutes: [one], ...more })
  const attachments = made.attachments.get(`HTTPRoute ${one.metadata.namespace}/${one.metadata.name}`) ?? []
  return { made, ...conditionsOf(routeStatus(one, attachments, now).parents?.[0]?.conditions) }
}

const fine = { Accepted: 'True Accepted', ResolvedRefs: 'True ResolvedRefs' }

describe('listeners', () => {
  test('a Gateway that is served, with what is attached', () => {
    const found = gatewayConditions(gateway([{}]), { httpRoutes: [route({}), route({}, 'second')] })
    expect(found.gateway).toEqual({ Accepted: 'True Accepted', Programmed: 'True Programmed' })
    expect(found.addresses).toEqual([{ type: 'IPAddress', value: '127.64.0.80' }])
    expect(found.listeners).toMatchObject([
      {
        name: 'l0',
        attachedRoutes: 2,
        conditions: { ...fine, Conflicted: 'False NoConflicts', Programmed: 'True Programmed' },
      },
    ])
    expect(found.listeners[0]?.supportedKinds.map(({ kind }) => kind)).toEqual(['HTTPRoute', 'GRPCRoute'])
  })

  const tls = { port: 443, protocol: 'HTTPS' }
  test.each<[string, Partial<ListenerSpec>[], Partial<ClusterObjects>, object]>([
    [
      'a protocol that we do not speak',
      [{ protocol: 'UDP' }],
      {},
      { Accepted: 'False UnsupportedProtocol', Programmed: 'False Invalid' },
    ],
    [
      'TLS that is not ended here',
      [{ ...tls, tls: { mode: 'Passthrough' } }],
      {},
      { Accepted: 'False UnsupportedProtocol' },
    ],
    [
      'the same host twice',
      [{}, { name: 'again' }],
      {},
      { Conflicted: 'True HostnameConflict', Programmed: 'False Invalid' },
    ],
    ['two protocols at a port', [{ port: 81 }, { ...tls, port: 81 }], {}, { Conflicted: 'True ProtocolConflict' }],
    ['HTTPS at the port of HTTP', [{ ...tls, port: 80 }], {}, { Conflicted: 'True ProtocolConflict' }],
    ['a port that is taken', [{ port: 81 }], { portProblem: () => 'taken' }, { Accepted: 'False PortUnavailable' }],
    [
      'no certificate',
      [{ ...tls, tls: { certificateRefs: [{ name: 'no' }] } }],
      {},
      { ResolvedRefs: 'False InvalidCertificateRef', Programmed: 'False Invalid' },
    ],
    [
      'a certificate of another namespace',
      [{ ...tls, tls: { certificateRefs: [{ name: 'tls', namespace: 'other' }] } }],
      {},
      { ResolvedRefs: 'False RefNotPermitted' },
    ],
    [
      'routes that there are not',
      [{ allowedRoutes: { kinds: [{ kind: 'TCPRoute' }] } }],
      {},
      { ResolvedRefs: 'False InvalidRouteKinds', Programmed: 'False Invalid' },
    ],
  ])('%s', (_name, listeners, more, conditions) => {
    const found = gatewayConditions(gateway(listeners), more)
    expect(found.listeners[0]?.conditions).toMatchObject(conditions)
  })

  test('some that can be served, and some that cannot', () => {
    const found = gatewayConditions(gateway([{}, { port: 53, protocol: 'UDP' }]))
    expect(found.gateway).toEqual({ Accepted: 'True ListenersNotValid', Programmed: 'True Programmed' })
    expect(gatewayConditions(gateway([{ port: 53, protocol: 'UDP' }])).gateway).toEqual({
      Accepted: 'False ListenersNotValid',
      Programmed: 'False Invalid',
    })
  })

  test('addresses that cannot be had', () => {
    const found = gatewayConditions(gateway([{}], { spec: { addresses: [{ value: '10.0.0.1' }] } }))
    expect(found.gateway['Programmed']).toBe('False AddressNotUsable')
  })

  test('of two Gateways the older one says what a port speaks', () => {
    const old = gateway([{ port: 9000 }], { name: 'old' })
    const young = gateway([{ port: 9000, protocol: 'HTTPS' }], { name: 'young', createdAt: now })
    const { gateways, ports } = model({ gateways: [young, old] })
    expect(gateways.get('shop/young')?.[0]?.refused?.reason).toBe('ProtocolConflict')
    expect([...ports]).toEqual([[9000, 'http']])
  })

  test('certificates, and Gateways of other classes', () => {
    const listener = { ...tls, hostname: '*.example', tls: { certificateRefs: [{ name: 'tls' }] } }
    const made = model({
      gateways: [gateway([listener]), gateway([{}], { name: 'foreign', spec: { gatewayClassName: 'x' } })],
    })
    expect(made.certificates).toMatchObject([{ port: 443, host: '*.example', secret: 'shop/tls' }])
    expect([...made.gateways.keys()]).toEqual(['shop/main'])
  })
})

describe('routes', () => {
  test.each<[string, Partial<ListenerSpec>, HttpRoute, object]>([
    ['of the same namespace', {}, route({}), fine],
    ['with a hostname in common', { hostname: '*.example' }, route({ hostnames: ['a.b.example'] }), fine],
    [
      'with no hostname in common',
      { hostname: 'a.example' },
      route({ hostnames: ['b.example'] }),
      { Accepted: 'False NoMatchingListenerHostname' },
    ],
    [
      'for a section that there is not',
      {},
      route({ parentRefs: [{ name: 'main', sectionName: 'x' }] }),
      { Accepted: 'False NoMatchingParent' },
    ],
    [
      'for a port that there is not',
      {},
      route({ parentRefs: [{ name: 'main', port: 81 }] }),
      { Accepted: 'False NoMatchingParent' },
    ],
    ['of another namespace', {}, route({}, 'web', 'other'), { Accepted: 'False NotAllowedByListeners' }],
    [
      'of another namespace where all may',
      { allowedRoutes: { namespaces: { from: 'All' } } },
      route({}, 'web', 'other'),
      fine,
    ],
    [
      'of a namespace with the label',
      { allowedRoutes: { namespaces: { from: 'Selector', selector: { matchLabels: { team: 'b' } } } } },
      route({}, 'web', 'other'),
      fine,
    ],
    [
      'of a namespace without the label',
      { allowedRoutes: { namespaces: { from: 'Selector', selector: { matchLabels: { team: 'c' } } } } },
      route({}, 'web', 'other'),
      { Accepted: 'False NotAllowedByListeners' },
    ],
    [
      'of a kind that may not',
      { allowedRoutes: { kinds: [{ kind: 'GRPCRoute' }] } },
      route({}),
      { Accepted: 'False NotAllowedByListeners' },
    ],
    [
      'to no Service',
      {},
      route({ rules: [{ backendRefs: [{ name: 'none', port: 80 }] }] }),
      { Accepted: 'True Accepted', ResolvedRefs: 'False BackendNotFound' },
    ],
    [
      'to a kind that we do not know',
      {},
      route({ rules: [{ backendRefs: [{ kind: 'Bucket', name: 'x' }] }] }),
      { ResolvedRefs: 'False InvalidKind' },
    ],
    [
      'to another namespace',
      {},
      route({ rules: [{ backendRefs: [{ name: 'web', namespace: 'other', port: 80 }] }] }),
      { ResolvedRefs: 'False RefNotPermitted' },
    ],
    [
      'to a protocol that we do not speak',
      {},
      route({ rules: [{ backendRefs: [{ name: 'mqtt', port: 80 }] }] }),
      { ResolvedRefs: 'False UnsupportedProtocol' },
    ],
    [
      'with a broken expression',
      {},
      route({ rules: [{ matches: [{ path: { type: 'RegularExpression', value: '(' } }] }] }),
      { Accepted: 'False UnsupportedValue' },
    ],
    [
      'with a filter of somebody else',
      {},
      route({ rules: [{ filters: [{ type: 'ExtensionRef' }] }] }),
      { Accepted: 'False UnsupportedValue' },
    ],
  ])('%s', (_name, listener, one, conditions) => {
    expect(routeConditions(one, [gateway([listener])])).toMatchObject(conditions)
  })

  test('to another namespace that permits it', () => {
    const rules = [{ backendRefs: [{ name: 'web', namespace: 'other', port: 80 }] }]
    const grant = (name?: string) =>
      ({
        metadata: meta('grant', 'other'),
        spec: {
          from: [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', namespace: 'shop' }],
          to: [{ group: '', kind: 'Service', ...(name ? { name } : {}) }],
        },
      }) as unknown as ReferenceGrant
    const found = (grants: ReferenceGrant[]) => routeConditions(route({ rules }), [gateway([{}])], { grants })
    expect(found([grant()])).toMatchObject(fine)
    expect(found([grant('web')])).toMatchObject(fine)
    expect(found([grant('db')])).toMatchObject({ ResolvedRefs: 'False RefNotPermitted' })
    const [first] = found([grant()]).made.routes
    expect(first?.backends[0]?.target).toEqual({ service: 'other/web', port: 80 })
  })

  test('say nothing of parents that are not ours, and leave what others said', () => {
    const theirs = { parentRef: { name: 'x' }, controllerName: 'example.com/other', conditions: [] }
    const one = route({ parentRefs: [{ name: 'foreign' }] })
    one.status = { parents: [theirs] }
    const { attachments } = model({ gateways: [gateway([{}])], httpRoutes: [one] })
    expect(routeStatus(one, attachments.get('HTTPRoute shop/web') ?? [], now)).toBe(one.status)
  })

  test('keep their transition times until something changes', () => {
    const one = route({})
    const { attachments } = model({ gateways: [gateway([{}])], httpRoutes: [one] })
    const found = attachments.get('HTTPRoute shop/web') ?? []
    one.status = routeStatus(one, found, now)
    expect(routeStatus(one, found, '2026-01-01T00:00:00Z')).toBe(one.status)
  })

  test('hosts, matches, filters, weights and timeouts become routes of our own', () => {
    const { made } = routeConditions(
      route({
        hostnames: ['*.shop.example', 'other.org'],
        rules: [
          {
            matches: [
              { path: { type: 'PathPrefix', value: '/cart/' }, method: 'POST' },
              {
                headers: [{ name: 'X-Canary', value: 'yes' }],
                queryParams: [{ name: 'v', value: '[23]', type: 'RegularExpression' }],
              },
            ],
            filters: [{ type: 'RequestRedirect', requestRedirect: { scheme: 'https' } }],
            timeouts: { request: '10s', backendRequest: '500ms' },
          },
        ],
      }),
      [gateway([{ hostname: 'eu.shop.example' }])],
    )
    expect(made.routes).toMatchObject([
      { host: 'eu.shop.example', path: { type: 'Prefix', value: '/cart' }, method: 'POST', requestTimeoutMs: 10_000 },
      { host: 'eu.shop.example', path: { value: '' }, headers: [{ name: 'x-canary' }], backendTimeoutMs: 500 },
    ])
    expect(made.routes[0]?.filters).toEqual([{ type: 'RequestRedirect', scheme: 'https', code: 302 }])
    const table = new RouteTable(made.routes, made.listeners)
    const asked = { port: 80, host: 'eu.shop.example', method: 'GET', path: '/x', headers: ['x-canary', 'yes'] }
    expect(table.find({ ...asked, query: 'v=3' })).toBe(made.routes[1])
    expect(table.find({ ...asked, query: 'v=4' })).toBeUndefined()
  })

  test('of gRPC, by service and method', () => {
    const rules = [
      { matches: [{ method: { service: 'shop.Cart', method: 'Add' } }], backendRefs: [{ name: 'web', port: 80 }] },
      { matches: [{ method: { service: 'shop.Cart' } }] },
      { matches: [{ method: { method: 'Health' } }] },
      {},
    ]
    const { routes } = model({
      gateways: [gateway([{}])],
      grpcRoutes: [{ ...route({}), kind: 'GRPCRoute', spec: { ...route({}).spec, rules } }],
    })
    expect(routes.map(({ path }) => `${path.type} ${path.value}`)).toEqual([
      'Exact /shop.Cart/Add',
      'Prefix /shop.Cart',
      'RegularExpression /[^/]+/Health',
      'Prefix ',
    ])
  })
})
