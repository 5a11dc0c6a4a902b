/** How a client shows itself on TLS, and whom it believes. */

/** Made once and used again: connections and sessions are kept by the identity of this object. */
export interface ClientTls {
  ca?: string | Buffer
  cert?: string | Buffer
  key?: string | Buffer
  servername?: string
  rejectUnauthorized?: boolean
}
