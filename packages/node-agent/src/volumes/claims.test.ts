import { afterEach, beforeEach, expect, test } from 'vitest'
import { PersistentVolumeClaims, PersistentVolumes } from '@dinghy/shared/api/resources'
import type { PersistentVolume, Volume } from '@dinghy/shared/api/types'
import { ApiClient } from '@dinghy/shared/client/api-client'
import { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import { pod, podUid } from '../testing/objects.ts'
import { resolveClaim } from './claims.ts'

let api: TinyApiServer
beforeEach(async () => {
  api = await TinyApiServer.start()
})
afterEach(() => api.close())

const claimed: Volume = { name: 'data', persistentVolumeClaim: { claimName: 'web-data' } }
const ephemeral: Volume = { name: 'data', ephemeral: {} }
function resolve(volume: Volume) {
  return resolveClaim(
    new ApiClient({ server: api.url, userAgent: 'kubelet' }),
    pod(),
    volume,
    AbortSignal.timeout(5000),
  )
}

function claim(phase: string, volumeName: string | undefined, ownerUid?: string): void {
  const ownerReferences = ownerUid ? [{ apiVersion: 'v1', kind: 'Pod', name: 'web', uid: ownerUid }] : []
  api.put(PersistentVolumeClaims, {
    metadata: { name: 'web-data', namespace: 'default', ownerReferences },
    spec: volumeName ? { volumeName } : {},
    status: { phase },
  })
}

test.each<[string, PersistentVolume['spec'], object]>([
  ['hostPath', { hostPath: { path: '/srv', type: 'DirectoryOrCreate' } }, { path: '/srv', type: 'DirectoryOrCreate' }],
  ['hostPath without a type', { hostPath: { path: '/srv' } }, { path: '/srv', type: '' }],
  ['local', { local: { path: '/mnt/disk' } }, { path: '/mnt/disk', type: 'Directory' }],
])('a bound claim leads to the path of its volume: %s', async (_name, spec, expected) => {
  api.put(PersistentVolumes, { metadata: { name: 'pv-1' }, spec })
  claim('Bound', 'pv-1')
  expect(await resolve(claimed)).toEqual(expected)
})

test('what is in the way is said in upstream’s words', async () => {
  const prefix = 'error processing PVC default/web-data: '
  await expect(resolve(claimed)).rejects.toThrow(`${prefix}persistentvolumeclaims "web-data" not found`)
  claim('Pending', undefined)
  await expect(resolve(claimed)).rejects.toThrow(`${prefix}PVC is not bound`)
  api.put(PersistentVolumes, { metadata: { name: 'pv-1' }, spec: { nfs: { path: '/', server: 'nas' } } })
  claim('Bound', 'pv-1')
  await expect(resolve(claimed)).rejects.toThrow(`${prefix}volume pv-1 is neither hostPath nor local`)
})

test('an ephemeral volume takes only a claim that was made for this pod', async () => {
  api.put(PersistentVolumes, { metadata: { name: 'pv-1' }, spec: { hostPath: { path: '/srv' } } })
  claim('Bound', 'pv-1')
  await expect(resolve(ephemeral)).rejects.toThrow('the PVC was not created for this pod')
  claim('Bound', 'pv-1', podUid)
  expect(await resolve(ephemeral)).toEqual({ path: '/srv', type: '' })
})
