import { expect, test } from 'vitest'
import { rulesetOf } from './firewall.ts'

const open = { name: 'br-a', subnet: '172.17.0.0/16', internal: false, masquerade: true, icc: true }

test('the table is replaced as a whole, and removed when there are no bridges', () => {
  expect(rulesetOf('dinghy-1', [])).toBe('table ip dinghy-1\ndelete table ip dinghy-1\n')
  expect(rulesetOf('dinghy-1', [open])).toBe(`table ip dinghy-1
delete table ip dinghy-1
table ip dinghy-1 {
  chain forward {
    type filter hook forward priority filter; policy accept;
    oifname "br-a" ct state established,related accept
    iifname "br-a" oifname "br-a" accept
    oifname "br-a" drop
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr 172.17.0.0/16 oifname != "br-a" masquerade
  }
}
`)
})

function rules(change: Partial<typeof open>) {
  return rulesetOf('t', [
    { ...open, ...change },
    { ...open, name: 'br-b' },
  ])
    .split('\n')
    .map((line) => line.trim())
}

test('nothing passes an internal network, and that is decided before anything is let through', () => {
  const lines = rules({ internal: true })
  expect(lines.indexOf('iifname "br-a" drop')).toBeLessThan(
    lines.indexOf('oifname "br-b" ct state established,related accept'),
  )
  expect(lines).toContain('oifname "br-a" drop')
  expect(lines.filter((line) => line.includes('masquerade'))).toEqual([
    'ip saddr 172.17.0.0/16 oifname != "br-b" masquerade',
  ])
})

test('options of the bridge driver', () => {
  expect(rules({ icc: false })).toContain('iifname "br-a" oifname "br-a" drop')
  expect(rules({ masquerade: false }).join()).not.toContain('oifname != "br-a"')
})
