/**
 * --stub-domains: which name servers know single domains. Pure.
 */

/** "example.com=10.0.0.1,example.com=10.0.0.2" → example.com: both. Throws on what is no such list. */
export function stubDomains(text: string): Map<string, string[]> {
  const domains = new Map<string, string[]>()
  for (const entry of text.split(',').filter(Boolean)) {
    const [domain, server, ...rest] = entry.split('=')
    if (!domain || !server || rest.length > 0) {
      throw new Error(`${JSON.stringify(entry)} is no stub domain: write DOMAIN=ADDRESS, such as example.com=10.0.0.1`)
    }
    const name = domain.toLowerCase().replace(/\.$/, '')
    domains.set(name, [...(domains.get(name) ?? []), server])
  }
  return domains
}
