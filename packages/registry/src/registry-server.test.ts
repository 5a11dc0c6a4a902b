import { expect, test } from 'vitest'
import { routeUrl } from './registry-server.ts'

test.each([
  ['/v2/', '/v2/'],
  ['/v2/_catalog?n=1', '/v2/_catalog?n=1'],
  ['/v2/app/tags/list', '/v2/app/tags/list'],
  ['/v2/a/b/c/manifests/1?x=/y', '/v2/a%2Fb%2Fc/manifests/1?x=/y'],
  ['/v2/a/b/blobs/sha256:0', '/v2/a%2Fb/blobs/sha256:0'],
  ['/v2/a/b/blobs/uploads/', '/v2/a%2Fb/blobs/uploads/'],
  ['/v2/a/b/blobs/uploads?digest=sha256:0', '/v2/a%2Fb/blobs/uploads?digest=sha256:0'],
  ['/v2/a/b/blobs/uploads/12-34?digest=x', '/v2/a%2Fb/blobs/uploads/12-34?digest=x'],
  // A repository may be called like one of the words.
  ['/v2/manifests/blobs/manifests/1', '/v2/manifests%2Fblobs/manifests/1'],
  ['/v2/a/blobs/uploads/tags/list', '/v2/a%2Fblobs%2Fuploads/tags/list'],
])('%s becomes %s', (url, expected) => {
  expect(routeUrl(url)).toBe(expected)
})
