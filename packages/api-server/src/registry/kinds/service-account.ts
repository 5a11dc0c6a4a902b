/**
 * ServiceAccounts: who a pod is. They have no rules of their own, only an annotation that has had its day.
 */

import type { ServiceAccount } from '@dinghy/shared/api/types'
import type { KindRules } from './kind-rules.ts'

const mountableSecrets = 'kubernetes.io/enforce-mountable-secrets'

export const serviceAccounts: KindRules<ServiceAccount> = {
  strategy: {
    warnings: ({ metadata }) =>
      Object.hasOwn(metadata.annotations ?? {}, mountableSecrets)
        ? [
            `metadata.annotations[${mountableSecrets}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets`,
          ]
        : [],
  },
}
