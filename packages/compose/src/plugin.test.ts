import { expect, test } from 'vitest'
import { pluginScript, splitPluginWords } from './plugin.ts'

test.each([
  [['compose', 'up', '-d'], { rest: ['up', '-d'] }],
  [['-H', 'unix:///x', 'compose', 'ps'], { host: 'unix:///x', rest: ['ps'] }],
  [['--host=unix:///x', '--debug', 'compose', 'ps'], { host: 'unix:///x', rest: ['ps'] }],
  [['--context', 'c', 'compose', '-f', 'a', 'ps'], { context: 'c', rest: ['-f', 'a', 'ps'] }],
  [['ps'], { rest: ['ps'] }],
])('the docker CLI’s words %j', (words, expected) => {
  expect(splitPluginWords(words)).toEqual(expected)
})

test('the plugin’s script survives odd paths', () => {
  expect(pluginScript('/opt/node', "/it's/main.js")).toContain(
    String.raw`exec '/opt/node' '/it'\''s/main.js' compose as-plugin "$@"`,
  )
})
