/** Where authenticators look objects up. It lies below the registry, whose Reader is the one that they are given. */

import type { Resource } from '@dinghy/shared/api/resources'
import type { KubernetesObject } from '@dinghy/shared/api/types'

export interface ObjectReader {
  get<T extends KubernetesObject>(resource: Resource<T>, namespace: string | undefined, name: string): T | undefined
}
