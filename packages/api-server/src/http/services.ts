/**
 * What the handlers work with: everything the server is made of, wired once in server.ts.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import type { ClientTls } from '@dinghy/shared/http/client'
import type { TypeSource } from '@dinghy/shared/schema/type-shape'
import type { AdmissionChain } from '../registry/admission.ts'
import type { Authenticator } from '../auth/authenticate.ts'
import type { TokenVerifier } from '../auth/bearer-tokens.ts'
import type { Authorization } from '../auth/authorization.ts'
import type { TokenIssuer } from '../auth/token-issuer.ts'
import type { Reader } from '../registry/reader.ts'
import type { Resources } from '../registry/resources.ts'
import type { Store } from '../registry/store.ts'
import type { Storage } from '../storage/storage.ts'
import type { WebhookClient } from '../webhooks/webhook-client.ts'

export interface Services {
  clock: Clock
  types: TypeSource
  storage: Storage
  resources: Resources
  store: Store
  reader: Reader
  admission: AdmissionChain
  authenticators: Authenticator[]
  /** Who may do what, and why. */
  authorization: Authorization
  tokens: TokenIssuer
  webhooks: WebhookClient
  /** All kinds of bearer tokens, as the authenticators have them: for reviews. */
  verifyToken: TokenVerifier
  /** How this server shows itself to kubelets and knows them. Undefined: they speak plain HTTP. */
  kubeletTls: ClientTls | undefined
  /** The longest that a service account token may live. */
  maxTokenSeconds: number | undefined
}
