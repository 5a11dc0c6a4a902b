/**
 * The machine's own name servers, from its /etc/resolv.conf. Pure.
 */

export function nameServersIn(text: string): string[] {
  return text.split('\n').flatMap((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? [])
}
