import { expect, test } from 'vitest'
import { realPlace, translateArgument, translateVariable, type Places } from './translate.ts'

const files = new Set(['/r/app/server.js', '/r/app', '/r/etc/nginx.conf', '/r/usr/local/bin'])
const places: Places = {
  root: '/r',
  mounts: [
    { source: '/volumes/data', target: '/data' },
    { source: '/volumes/inner', target: '/data/inner' },
  ],
  exists: (path) => files.has(path),
}

test.each([
  ['/app/server.js', '/r/app/server.js'],
  ['/app/../app/server.js', '/r/app/server.js'],
  ['/data', '/volumes/data'],
  ['/data/new/file', '/volumes/data/new/file'],
  ['/data/inner/x', '/volumes/inner/x'],
  ['/database', undefined],
  ['/usr/bin/env', undefined],
  ['/', undefined],
  ['relative', undefined],
])('%s is really at %s', (path, expected) => {
  expect(realPlace(path, places)).toBe(expected)
})

test.each([
  ['/app/server.js', '/r/app/server.js'],
  ['--config=/etc/nginx.conf', '--config=/r/etc/nginx.conf'],
  ['-c=/etc/other.conf', '-c=/etc/other.conf'],
  ['s/app/x/', 's/app/x/'],
  ['http://app/', 'http://app/'],
])('the argument %s', (argument, expected) => {
  expect(translateArgument(argument, places)).toBe(expected)
})

test.each([
  ['PATH=/usr/local/bin:/bin', 'PATH=/r/usr/local/bin:/usr/local/bin:/bin'],
  ['DATA_DIR=/data', 'DATA_DIR=/volumes/data'],
  ['DIRS=/data:/app', 'DIRS=/volumes/data:/r/app'],
  ['URL=http://x:80/data', 'URL=http://x:80/data'],
  ['EMPTY=', 'EMPTY='],
  [
    'NODE_OPTIONS=--max-http-header-size=80 --require=/app/server.js',
    'NODE_OPTIONS=--max-http-header-size=80 --require=/r/app/server.js',
  ],
])('the variable %s', (entry, expected) => {
  expect(translateVariable(entry, places)).toBe(expected)
})
