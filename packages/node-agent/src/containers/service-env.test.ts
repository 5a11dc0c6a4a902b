import { expect, test } from 'vitest'
import { service } from '../testing/objects.ts'
import { serviceEnv } from './service-env.ts'

const kubernetes = service('default', 'kubernetes', '10.96.0.1', [{ name: 'https', port: 443 }])
const web = service('shop', 'web-app', '10.96.0.7', [
  { name: 'http', port: 80 },
  { name: 'dns', port: 53, protocol: 'UDP' },
])
const headless = service('shop', 'db', 'None', [{ port: 5432 }])
const elsewhere = service('other', 'secret', '10.96.0.9', [{ port: 80 }])

test('tells the API server and the Services of the namespace, in both forms', () => {
  expect(Object.fromEntries(serviceEnv([web, headless, elsewhere, kubernetes], 'shop', true))).toEqual({
    KUBERNETES_SERVICE_HOST: '10.96.0.1',
    KUBERNETES_SERVICE_PORT: '443',
    KUBERNETES_SERVICE_PORT_HTTPS: '443',
    KUBERNETES_PORT: 'tcp://10.96.0.1:443',
    KUBERNETES_PORT_443_TCP: 'tcp://10.96.0.1:443',
    KUBERNETES_PORT_443_TCP_PROTO: 'tcp',
    KUBERNETES_PORT_443_TCP_PORT: '443',
    KUBERNETES_PORT_443_TCP_ADDR: '10.96.0.1',
    WEB_APP_SERVICE_HOST: '10.96.0.7',
    WEB_APP_SERVICE_PORT: '80',
    WEB_APP_SERVICE_PORT_HTTP: '80',
    WEB_APP_SERVICE_PORT_DNS: '53',
    WEB_APP_PORT: 'tcp://10.96.0.7:80',
    WEB_APP_PORT_80_TCP: 'tcp://10.96.0.7:80',
    WEB_APP_PORT_80_TCP_PROTO: 'tcp',
    WEB_APP_PORT_80_TCP_PORT: '80',
    WEB_APP_PORT_80_TCP_ADDR: '10.96.0.7',
    WEB_APP_PORT_53_UDP: 'udp://10.96.0.7:53',
    WEB_APP_PORT_53_UDP_PROTO: 'udp',
    WEB_APP_PORT_53_UDP_PORT: '53',
    WEB_APP_PORT_53_UDP_ADDR: '10.96.0.7',
  })
})

test('enableServiceLinks: false leaves only the API server', () => {
  const names = [...serviceEnv([web, kubernetes], 'shop', false).keys()]
  expect(names.every((name) => name.startsWith('KUBERNETES_'))).toBe(true)
  expect(names).toContain('KUBERNETES_SERVICE_HOST')
})

test('a Service "kubernetes" of the own namespace hides the one in default', () => {
  const own = service('shop', 'kubernetes', '10.96.9.9', [{ port: 1 }])
  expect(serviceEnv([kubernetes, own], 'shop', true).get('KUBERNETES_SERVICE_HOST')).toBe('10.96.9.9')
  expect(serviceEnv([own, kubernetes], 'shop', true).get('KUBERNETES_SERVICE_HOST')).toBe('10.96.9.9')
})
