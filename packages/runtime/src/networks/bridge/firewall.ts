/**
 * The nftables rules of a runtime's bridges: one table, which is replaced as a whole and at once by `nft -f`. Pure.
 *
 * Forwarding: a container may answer whom it was asked by, and ask whatever is not another bridge of ours; nobody from
 * outside (other networks, other machines) may ask a container, whose published ports are the runtime's own. Source
 * addresses of containers are replaced by the machine's on the way out.
 *
 * A packet must be accepted by every table of the machine: these rules open nothing that others close.
 */

export interface BridgeRules {
  name: string
  subnet: string
  /** Nothing goes in or out. */
  internal: boolean
  masquerade: boolean
  /**
   * Containers of the network may talk to each other. Directly their ports keep them from it, by way of the machine
   * these rules.
   */
  icc: boolean
}

/**
 * For `nft -f`; no bridges: removes the table. Naming the table first makes deleting it no error when it is not there.
 */
export function rulesetOf(table: string, bridges: BridgeRules[]): string {
  const fresh = `table ip ${table}\ndelete table ip ${table}\n`
  if (bridges.length === 0) return fresh
  const forward = [...bridges.filter(({ internal }) => internal), ...bridges.filter(({ internal }) => !internal)]
  return `${fresh}table ip ${table} {
  chain forward {
    type filter hook forward priority filter; policy accept;
${forward.flatMap(forwardRules).map(indent).join('\n')}
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
${bridges.flatMap(sourceRules).map(indent).join('\n')}
  }
}
`
}

function forwardRules({ name, internal, icc }: BridgeRules): string[] {
  const among = `iifname "${name}" oifname "${name}" ${icc ? 'accept' : 'drop'}`
  if (internal) return [among, `iifname "${name}" drop`, `oifname "${name}" drop`]
  return [`oifname "${name}" ct state established,related accept`, among, `oifname "${name}" drop`]
}

function sourceRules({ name, subnet, internal, masquerade }: BridgeRules): string[] {
  return internal || !masquerade ? [] : [`ip saddr ${subnet} oifname != "${name}" masquerade`]
}

function indent(rule: string): string {
  return `    ${rule}`
}
