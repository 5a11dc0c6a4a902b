/**
 * What the handlers work with: everything the server is made of, wired once in server.ts.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import type { TypeSource } from '@dinghy/shared/schema/type-shape'
import type { AdmissionChain } from '../registry/admission.ts'
import type { Authenticator } from '../auth/authenticate.ts'
import type { Authorizer } from '../auth/authorize.ts'
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
  authorizer: Authorizer
  tokens: TokenIssuer
  webhooks: WebhookClient
}
