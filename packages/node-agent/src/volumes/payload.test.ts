import { describe, expect, test } from 'vitest'
import type { PodSpec, Volume } from '@dinghy/shared/api/types'
import { defined } from '@dinghy/testing/defined'
import { configMap, container, pod, secret } from '../testing/objects.ts'
import { volumePayload, type PayloadSources } from './payload.ts'

const maps = [{ ...configMap('settings', { 'app.conf': 'a=1', color: 'blue' }), binaryData: { logo: 'AAEC' } }]
const secrets = [secret('login', { user: 'me', password: 's3cret' })]
const sources: PayloadSources = {
  configMap: (name) => maps.find((one) => one.metadata.name === name),
  secret: (name) => secrets.find((one) => one.metadata.name === name),
  token: (audience, seconds) => `token for ${audience ?? 'the api'} ${seconds}`,
  podIPs: ['10.244.1.7'],
  hostIPs: ['10.0.0.1'],
  allocatable: { cpu: '2' },
}
const thePod = pod(
  { containers: [container({ resources: { limits: { memory: '64Mi' } } })] },
  {},
  { labels: { app: 'web', tier: 'front' } },
)

function files(volume: Omit<Volume, 'name'>): Record<string, string> {
  const payload = volumePayload(thePod, { name: 'v', ...volume }, sources)
  return Object.fromEntries(
    [...defined(payload)].map(([path, { data, mode }]) => [path, `${mode.toString(8)} ${data.toString('latin1')}`]),
  )
}

describe('a service account token', () => {
  const projected = { defaultMode: 0o644, sources: [{ serviceAccountToken: { path: 'token' } }] }
  const runAs = (runAsUser?: number) => container(runAsUser === undefined ? {} : { securityContext: { runAsUser } })
  test.each<[string, Partial<PodSpec>, number, number | undefined]>([
    ['nobody said who runs', {}, 0o644, undefined],
    ['all run as one user', { containers: [runAs(1000), runAs(1000)] }, 0o600, 1000],
    ['the pod says as whom', { securityContext: { runAsUser: 1000 } }, 0o600, 1000],
    ['an init container, too', { initContainers: [runAs(0)], containers: [runAs(0)] }, 0o600, 0],
    ['two users', { containers: [runAs(1000), runAs(1001)] }, 0o644, undefined],
    ['one says nothing', { containers: [runAs(1000), runAs()] }, 0o644, undefined],
    ['an fsGroup, which makes 0640 of it', { securityContext: { fsGroup: 7 } }, 0o600, undefined],
    ['both', { securityContext: { runAsUser: 1000, fsGroup: 7 } }, 0o600, 1000],
  ])('%s', (_name, spec, mode, owner) => {
    const file = volumePayload(pod(spec), { name: 'v', projected }, sources)?.get('token')
    expect(file).toEqual({
      data: Buffer.from('token for the api 3600'),
      mode,
      ...(owner === undefined ? {} : { owner }),
    })
  })
})

describe('volumePayload', () => {
  test.each<[string, Omit<Volume, 'name'>, Record<string, string>]>([
    [
      'a whole ConfigMap, binary data too',
      { configMap: { name: 'settings' } },
      { 'app.conf': '644 a=1', color: '644 blue', logo: '644 \x00\x01\x02' },
    ],
    [
      'some of its keys, with paths and modes',
      {
        configMap: {
          name: 'settings',
          defaultMode: 0o400,
          items: [
            { key: 'app.conf', path: 'etc/app.conf' },
            { key: 'color', path: 'c', mode: 0o755 },
          ],
        },
      },
      { 'etc/app.conf': '400 a=1', c: '755 blue' },
    ],
    ['an optional one that is not there', { configMap: { name: 'no', optional: true } }, {}],
    [
      'an optional key that is not there',
      { configMap: { name: 'settings', optional: true, items: [{ key: 'no', path: 'no' }] } },
      {},
    ],
    ['a Secret', { secret: { secretName: 'login', defaultMode: 0o600 } }, { user: '600 me', password: '600 s3cret' }],
    [
      'the downward API',
      {
        downwardAPI: {
          items: [
            { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
            { path: 'mem', resourceFieldRef: { containerName: 'app', resource: 'limits.memory', divisor: '1Mi' } },
          ],
        },
      },
      { labels: '644 app="web"\ntier="front"', mem: '644 64' },
    ],
    [
      'what every pod is given to talk to the API',
      {
        projected: {
          sources: [
            { serviceAccountToken: { path: 'token', expirationSeconds: 3607 } },
            { configMap: { name: 'settings', items: [{ key: 'color', path: 'ca.crt' }] } },
            { downwardAPI: { items: [{ path: 'namespace', fieldRef: { fieldPath: 'metadata.namespace' } }] } },
            { secret: { name: 'login', items: [{ key: 'user', path: 'u', mode: 0o640 }] } },
          ],
        },
      },
      { token: '644 token for the api 3607', 'ca.crt': '644 blue', namespace: '644 default', u: '640 me' },
    ],
  ])('%s', (_name, volume, expected) => {
    expect(files(volume)).toEqual(expected)
  })

  test.each<[Omit<Volume, 'name'>, string]>([
    [{ configMap: { name: 'no' } }, 'configmap "no" not found'],
    [{ configMap: { name: 'settings', items: [{ key: 'x', path: 'x' }] } }, 'references non-existent config key: x'],
    [{ secret: { secretName: 'no' } }, 'secret "no" not found'],
    [{ secret: { secretName: 'login', items: [{ key: 'x', path: 'x' }] } }, 'references non-existent secret key: x'],
    [{ projected: { sources: [{ configMap: { name: 'no' } }] } }, 'configmap "no" not found'],
  ])('%j → %s', (volume, message) => {
    expect(() => files(volume)).toThrow(message)
  })

  test('other volumes are not made of files of ours', () => {
    expect(volumePayload(thePod, { name: 'v', emptyDir: {} }, sources)).toBeUndefined()
  })
})
