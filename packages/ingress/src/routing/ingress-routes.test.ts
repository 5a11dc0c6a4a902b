import type { Ingress, IngressClass } from '@dinghy/shared/api/types'
import { expect, test } from 'vitest'
import { controllerName, ingressRoutes, isOurs } from './ingress-routes.ts'

function ingress(spec: object, annotations?: Record<string, string>): Ingress {
  const metadata = { name: 'web', namespace: 'shop', creationTimestamp: '2025-01-01T00:00:00Z', annotations }
  return { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata, spec, status: {} } as unknown as Ingress
}

function ingressClass(name: string, controller: string, isDefault = false): IngressClass {
  const annotations = isDefault ? { 'ingressclass.kubernetes.io/is-default-class': 'true' } : {}
  return { metadata: { name, annotations }, spec: { controller } } as unknown as IngressClass
}

const ours = ingressClass('dinghy', controllerName, true)
const another = ingressClass('nginx', 'k8s.io/ingress-nginx')

test.each([
  [{ ingressClassName: 'dinghy' }, undefined, [ours], true],
  [{ ingressClassName: 'dinghy' }, undefined, [], false],
  [{ ingressClassName: 'nginx' }, undefined, [ours, another], false],
  [{}, { 'kubernetes.io/ingress.class': 'dinghy' }, [ours], true],
  [{}, { 'kubernetes.io/ingress.class': 'nginx' }, [ours, another], false],
  [{}, undefined, [ours, another], true],
  [{}, undefined, [ingressClass('dinghy', controllerName), another], false],
])('an Ingress of %j with %j is ours: case %#', (spec, annotations, classes, is) => {
  expect(isOurs(ingress(spec, annotations), classes)).toBe(is)
})

test('rules, default backend and certificates', () => {
  const backend = (name: string, port: object) => ({ service: { name, port } })
  const { routes, certificates } = ingressRoutes(
    ingress({
      defaultBackend: backend('fallback', { number: 80 }),
      tls: [{ hosts: ['Shop.example'], secretName: 'shop-tls' }, { secretName: 'all' }, { hosts: ['x.example'] }],
      rules: [
        {
          host: 'shop.example',
          http: {
            paths: [
              { path: '/cart/', pathType: 'Prefix', backend: backend('cart', { name: 'http' }) },
              { path: '/', pathType: 'Exact', backend: backend('home', { number: 8080 }) },
            ],
          },
        },
        { http: { paths: [{ pathType: 'ImplementationSpecific', backend: { resource: { kind: 'Bucket' } } }] } },
      ],
    }),
  )
  expect(
    routes.map(({ host, path, isDefault, backends }) => [host, path.type, path.value, isDefault, backends[0]?.target]),
  ).toEqual([
    ['shop.example', 'Prefix', '/cart', false, { service: 'shop/cart', port: 'http' }],
    ['shop.example', 'Exact', '/', false, { service: 'shop/home', port: 8080 }],
    ['', 'Prefix', '', false, undefined],
    ['', 'Prefix', '', true, { service: 'shop/fallback', port: 80 }],
  ])
  expect(certificates.map(({ host, secret }) => [host, secret])).toEqual([
    ['shop.example', 'shop/shop-tls'],
    ['shop.example', 'shop/all'],
    ['', 'shop/all'],
  ])
})
