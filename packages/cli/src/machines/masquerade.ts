/**
 * What leaves the cluster by way of the machine gets the machine's address, because nobody else knows a way back to a
 * node or a pod. By nft, or else by iptables: pure.
 */

import { addressesOf, machineLink } from '../cluster/addresses.ts'

export type FirewallTool = 'nft' | 'iptables'

/** A shell script that replaces what there is of it. */
export function masqueradeScript(tool: FirewallTool, slot: number): string {
  const { nodeRange, podRange } = addressesOf({ network: 'machines', slot })
  if (tool === 'iptables') {
    return iptablesRules(slot)
      .map((rule) => `iptables -w -t nat -C ${rule} 2>/dev/null || iptables -w -t nat -A ${rule}\n`)
      .join('')
  }
  const table = tableOf(slot)
  return `nft -f - <<END
table ip ${table}
delete table ip ${table}
table ip ${table} {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr { ${nodeRange}, ${podRange} } oifname != "${machineLink(slot)}" masquerade
  }
}
END
`
}

export function unmasqueradeScript(tool: FirewallTool, slot: number): string {
  if (tool === 'iptables') {
    return iptablesRules(slot)
      .map((rule) => `iptables -w -t nat -D ${rule} 2>/dev/null || :\n`)
      .join('')
  }
  // Naming the table first makes deleting it no error when it is not there.
  return `nft -f - <<END\ntable ip ${tableOf(slot)}\ndelete table ip ${tableOf(slot)}\nEND\n`
}

function tableOf(slot: number): string {
  return `dinghy-${slot}`
}

function iptablesRules(slot: number): string[] {
  const { nodeRange, podRange } = addressesOf({ network: 'machines', slot })
  return [nodeRange, podRange].map(
    (range) => `POSTROUTING -s ${range} ! -o ${machineLink(slot)} -m comment --comment ${tableOf(slot)} -j MASQUERADE`,
  )
}
