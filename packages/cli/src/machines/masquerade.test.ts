import { expect, test } from 'vitest'
import { masqueradeScript, unmasqueradeScript } from './masquerade.ts'

test('nft: one table, replaced as a whole', () => {
  expect(masqueradeScript('nft', 0)).toBe(`nft -f - <<END
table ip dinghy-0
delete table ip dinghy-0
table ip dinghy-0 {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr { 172.30.0.0/24, 10.244.0.0/16 } oifname != "dinghy0" masquerade
  }
}
END
`)
  expect(unmasqueradeScript('nft', 0)).toBe('nft -f - <<END\ntable ip dinghy-0\ndelete table ip dinghy-0\nEND\n')
})

test('iptables: a rule a range, once', () => {
  const rule = 'POSTROUTING -s 10.133.0.0/16 ! -o dinghy1 -m comment --comment dinghy-1 -j MASQUERADE'
  expect(masqueradeScript('iptables', 1)).toContain(
    `iptables -w -t nat -C ${rule} 2>/dev/null || iptables -w -t nat -A ${rule}\n`,
  )
  expect(unmasqueradeScript('iptables', 1)).toContain(`iptables -w -t nat -D ${rule}`)
})
