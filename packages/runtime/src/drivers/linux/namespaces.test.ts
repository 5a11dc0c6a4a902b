import { expect, test } from 'vitest'
import { namespaceCommand } from './namespaces.ts'

test.each([
  [{}, 'unshare --mount --propagation private --pid --ipc --uts'],
  [{ network: 'private' as const }, 'unshare --mount --propagation private --pid --ipc --uts --net'],
  [
    { network: { pid: 7 } },
    'nsenter --no-fork --net=/proc/7/ns/net -- unshare --mount --propagation private --pid --ipc --uts',
  ],
  [
    { network: { path: '/run/node-1' } },
    'nsenter --no-fork --net=/run/node-1 -- unshare --mount --propagation private --pid --ipc --uts',
  ],
])('%j', (namespaces, command) => {
  const words = namespaceCommand({ namespaces, hostname: 'box', mounts: [] } as never)
  expect(words.join(' ')).toBe(command)
})
