import { expect, test } from 'vitest'
import type { ContainerRecord } from './record.ts'
import { aliasesOf, linkNamesOf, linkVariables, parseLink, withoutLink } from './links.ts'

test.each([
  ['db', { target: 'db', alias: 'db' }],
  ['/db:store', { target: 'db', alias: 'store' }],
])('%s', (text, link) => {
  expect(parseLink(text)).toEqual(link)
})

test.each(['', ':a', 'a:', 'a:b:c'])('%j is refused', (text) => {
  expect(() => parseLink(text)).toThrow(`bad format for links: ${text}`)
})

test('one container may have several names', () => {
  const links = ['db:store', 'web', 'abc:short', 'db:data']
  expect(aliasesOf({ id: 'abcdef', name: 'db' }, links)).toEqual(['store', 'short', 'data'])
})

test('what others call it is listed, until that link is removed', () => {
  const hostConfig = { Links: ['db:store', 'web'] } as ContainerRecord['hostConfig']
  expect(linkNamesOf({ id: 'abc', name: 'db' }, [{ name: 'app', hostConfig }])).toEqual(['/app/store'])
  expect(withoutLink(['db:store', 'web', '/db:data'], 'store')).toEqual(['web', '/db:data'])
  expect(withoutLink(['db:store', 'web'], 'web')).toEqual(['db:store'])
  expect(withoutLink(['db:store'], 'db')).toBeUndefined()
})

test('the variables of a link', () => {
  const config = { Env: ['PATH=/bin', 'USER=me'], ExposedPorts: { '5432/tcp': {}, '53/udp': {}, '53/tcp': {} } }
  expect(linkVariables('web', 'my-db', '10.0.0.2', config)).toEqual([
    'MY_DB_PORT=tcp://10.0.0.2:53',
    'MY_DB_PORT_53_TCP=tcp://10.0.0.2:53',
    'MY_DB_PORT_53_TCP_ADDR=10.0.0.2',
    'MY_DB_PORT_53_TCP_PORT=53',
    'MY_DB_PORT_53_TCP_PROTO=tcp',
    'MY_DB_PORT_53_UDP=udp://10.0.0.2:53',
    'MY_DB_PORT_53_UDP_ADDR=10.0.0.2',
    'MY_DB_PORT_53_UDP_PORT=53',
    'MY_DB_PORT_53_UDP_PROTO=udp',
    'MY_DB_PORT_5432_TCP=tcp://10.0.0.2:5432',
    'MY_DB_PORT_5432_TCP_ADDR=10.0.0.2',
    'MY_DB_PORT_5432_TCP_PORT=5432',
    'MY_DB_PORT_5432_TCP_PROTO=tcp',
    'MY_DB_NAME=/web/my-db',
    'MY_DB_ENV_USER=me',
  ])
})
