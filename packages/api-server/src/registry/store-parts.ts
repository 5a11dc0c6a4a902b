/**
 * What the verbs of the store work with.
 */

import type { Clock } from '@dinghy/shared/api/clock'
import type { AdmissionChain } from './admission.ts'
import type { Storage } from '../storage/storage.ts'
import type { Reservations } from './reservations.ts'
import type { Resources } from './resources.ts'

export interface StoreParts {
  storage: Storage
  resources: Resources
  admission: AdmissionChain
  reservations: Reservations
  clock: Clock
}

export interface ObjectRef {
  namespace?: string | undefined
  name: string
}
