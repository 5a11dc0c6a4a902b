/**
 * Who a certificate is made out to, in Kubernetes' terms: the user is the common name, each organization is a group
 * (upstream's x509 CommonNameUserConversion).
 */

export interface Subject {
  user: string
  groups: readonly string[]
}

/** What node tells of a peer's subject (tls.PeerCertificate): several organizations come as a list. */
export interface PeerSubject {
  CN?: string | string[] | undefined
  O?: string | string[] | undefined
}

/** Undefined for a certificate without a common name: it names nobody. */
export function subjectOf({ CN, O }: PeerSubject): Subject | undefined {
  const user = [CN ?? []].flat().at(-1)
  return user ? { user, groups: [O ?? []].flat() } : undefined
}

/** Node's X509Certificate writes a subject as lines, "O=system:masters\nCN=kubernetes-admin". */
export function subjectOfText(text: string): Subject | undefined {
  const values = (field: string) =>
    text.split('\n').flatMap((line) => (line.startsWith(`${field}=`) ? [line.slice(field.length + 1)] : []))
  return subjectOf({ CN: values('CN'), O: values('O') })
}
