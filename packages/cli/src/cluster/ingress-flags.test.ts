import { expect, test } from 'vitest'
import { ingressFlags } from './ingress-flags.ts'

test.each([
  [{ slot: 0 }, '127.64.0.80:8080,127.0.0.1:8080', '127.64.0.80:8443,127.0.0.1:8443'],
  [
    { slot: 2, lowPorts: true },
    '127.66.0.80:80,127.0.0.1:80,127.0.0.1:8082',
    '127.66.0.80:443,127.0.0.1:443,127.0.0.1:8445',
  ],
  [
    { slot: 0, network: 'machines' },
    '172.30.0.200:80,127.0.0.1:80,127.0.0.1:8080',
    '172.30.0.200:443,127.0.0.1:443,127.0.0.1:8443',
  ],
] as const)('%j: %s and %s', (config, http, https) => {
  expect(ingressFlags(config)).toMatchObject({ 'http-listen': http, 'https-listen': https })
})
