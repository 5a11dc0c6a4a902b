import { expect, test } from 'vitest'
import { mountPointsOf, parseBind } from './binds.ts'

test.each([
  ['/src:/dst', { type: 'bind', source: '/src', target: '/dst', readOnly: false }],
  ['/src/../x:/dst/:ro', { type: 'bind', source: '/x', target: '/dst', readOnly: true }],
  ['/src:/dst:rw,z', { type: 'bind', readOnly: false }],
  ['/src:/dst:ro,rslave', { type: 'bind', readOnly: true, propagation: 'rslave' }],
  ['data:/dst', { type: 'volume', volume: 'data', seed: true }],
  ['data:/dst:nocopy', { type: 'volume', volume: 'data', seed: false }],
  ['/dst', { type: 'volume', anonymous: true, target: '/dst' }],
])('-v %s', (bind, expected) => {
  expect(parseBind(bind)).toMatchObject(expected)
})

test.each([
  ['/a:/b:ro:x', 'invalid volume specification'],
  ['/a::ro', 'invalid volume specification'],
  ['/a:/b:xx', 'invalid mode: xx'],
  ['/a:/b:slave,rslave', 'invalid mode: slave,rslave'],
  ['/a:/b:rshared', 'bind propagation rshared is not supported'],
  ['vol:/b:rslave', 'invalid mode: rslave'],
  ['/a:b', "invalid mount path: 'b' mount path must be absolute"],
  ['a b:/c', 'includes invalid characters for a local volume name'],
  ['/a:/', "destination can't be '/'"],
])('-v %s is refused', (bind, message) => {
  expect(() => parseBind(bind)).toThrow(message)
})

function targets(...args: Parameters<typeof mountPointsOf>) {
  return mountPointsOf(...args).map(({ target }) => target)
}

test('parents are mounted before what is inside them', () => {
  expect(targets({ Binds: ['/x:/a/b/c', '/x:/a', '/x:/z'], Mounts: [], Tmpfs: { '/a/b': 'size=1m' } }, ['/v'])).toEqual(
    ['/a', '/v', '/z', '/a/b', '/a/b/c'],
  )
})

test('what is mounted explicitly replaces a VOLUME and what --volumes-from brings', () => {
  const inherited = [parseBind('/old:/data')]
  const [mount, ...rest] = mountPointsOf({ Binds: ['/new:/data'], Mounts: [], Tmpfs: {} }, ['/data'], inherited)
  expect(rest).toEqual([])
  expect(mount).toMatchObject({ source: '/new', type: 'bind' })
  expect(() => targets({ Binds: ['/a:/x', '/b:/x'], Mounts: [], Tmpfs: {} }, [])).toThrow('Duplicate mount point: /x')
})

test('--mount and --tmpfs', () => {
  const Mounts = [
    { Type: 'bind' as const, Source: '/s', Target: '/b', ReadOnly: true },
    { Type: 'volume' as const, Target: '/v' },
    { Type: 'tmpfs' as const, Target: '/t', TmpfsOptions: { SizeBytes: 1024, Mode: 0o700 } },
  ]
  expect(mountPointsOf({ Binds: null, Mounts, Tmpfs: { '/u': 'size=2m,exec' } }, [])).toMatchObject([
    { target: '/b', type: 'bind', readOnly: true },
    { target: '/t', type: 'tmpfs', options: 'nosuid,nodev,noexec,size=1024,mode=700' },
    { target: '/u', type: 'tmpfs', options: 'nosuid,nodev,noexec,size=2m,exec' },
    { target: '/v', type: 'volume', anonymous: true },
  ])
  expect(() =>
    mountPointsOf({ Binds: null, Mounts: [{ Type: 'bind', Source: 'rel', Target: '/x' }], Tmpfs: {} }, []),
  ).toThrow('mount path must be absolute')
})

test.each<[string, object]>([
  ['subpath must be a relative path within the volume', { Source: 'vol', VolumeOptions: { Subpath: '../..' } }],
  ['subpath must be a relative path within the volume', { Source: 'vol', VolumeOptions: { Subpath: '/a' } }],
  ['must not set Subpath when using anonymous volumes', { VolumeOptions: { Subpath: 'a' } }],
  ['field BindOptions must not be specified', { Source: 'vol', BindOptions: { Propagation: 'rslave' } }],
  ['field VolumeOptions must not be specified', { Type: 'bind', Source: '/a', VolumeOptions: { NoCopy: true } }],
  ['field Source must not be specified', { Type: 'tmpfs', Source: '/a' }],
  ['brings the mounts inside', { Type: 'bind', Source: '/a', BindOptions: { NonRecursive: true } }],
  ['invalid option: size', { Type: 'tmpfs', TmpfsOptions: { Options: [['size', '1']] } }],
  ['field Source must not be empty', { Type: 'image' }],
  [
    'subpath must be a relative path within the image',
    { Type: 'image', Source: 'a', ImageOptions: { Subpath: '../b' } },
  ],
  ['field ImageOptions must not be specified', { Source: 'vol', ImageOptions: { Subpath: 'a' } }],
  ['field VolumeOptions must not be specified', { Type: 'image', Source: 'a', VolumeOptions: { NoCopy: true } }],
  ['mount type unknown: "npipe"', { Type: 'npipe', Source: 'box' }],
])('--mount: %s', (message, request) => {
  const Mounts = [{ Type: 'volume' as const, Target: '/x', ...request }]
  expect(() => mountPointsOf({ Binds: null, Mounts }, [])).toThrow(message)
})

test('the options of --mount type=volume', () => {
  const mount = (Source: string, VolumeOptions: object) =>
    mountPointsOf({ Binds: null, Mounts: [{ Type: 'volume', Source, Target: '/x', VolumeOptions }] }, [])[0]
  expect(mount('vol', { Subpath: 'a/b' })).toMatchObject({ volume: 'vol', subpath: 'a/b', seed: true })
  expect(mount('', { NoCopy: true })).toMatchObject({ anonymous: true, seed: false })
})
