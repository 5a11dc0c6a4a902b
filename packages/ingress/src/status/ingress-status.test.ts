import type { Ingress, Service } from '@dinghy/shared/api/types'
import { expect, test } from 'vitest'
import { ingressProblems, ingressStatus } from './ingress-status.ts'

function ingress(spec: object, addresses: string[] = []): Ingress {
  const status = addresses.length > 0 ? { loadBalancer: { ingress: addresses.map((ip) => ({ ip })) } } : {}
  return { metadata: { name: 'web', namespace: 'shop' }, spec, status } as unknown as Ingress
}

const ours = '127.64.0.80'

test.each([
  [[], true, [ours]],
  [['10.0.0.1'], true, [ours]],
  [[ours], false, []],
  [['10.0.0.1'], false, ['10.0.0.1']],
])('an Ingress at %j that is ours (%s) is then at %j', (before, isOurs, after) => {
  const status = ingressStatus(ingress({}, before), isOurs, [ours])
  expect(status.loadBalancer?.ingress ?? []).toEqual(after.map((ip) => ({ ip })))
})

test('a status that is right is left alone', () => {
  const one = ingress({}, [ours])
  expect(ingressStatus(one, true, [ours])).toBe(one.status)
})

test('what is missing is told once each', () => {
  const backend = (name: string, number: number) => ({ service: { name, port: { number } } })
  const spec = {
    tls: [{ secretName: 'tls' }],
    defaultBackend: backend('web', 81),
    rules: [
      {
        http: {
          paths: [{ backend: backend('web', 80) }, { backend: backend('none', 80) }, { backend: backend('none', 80) }],
        },
      },
    ],
  }
  const service = { spec: { ports: [{ port: 80 }] } } as unknown as Service
  const problems = ingressProblems(
    ingress(spec),
    (key) => (key === 'shop/web' ? service : undefined),
    (key) => `local SSL certificate ${key} was not found`,
  )
  expect(problems.map(({ message }) => message)).toEqual([
    'Error obtaining Endpoints for Service "shop/none": no object matching key "shop/none" in local store',
    'Error obtaining Endpoints for Service "shop/web": service "shop/web" has no port 81',
    'Error getting SSL certificate "shop/tls": local SSL certificate shop/tls was not found. Using default certificate',
  ])
})
