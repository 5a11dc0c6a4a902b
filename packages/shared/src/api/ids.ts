/** Random identifiers. Objects' UIDs are not among them: those are UUIDs, as Kubernetes' are. */

import { customAlphabet } from 'nanoid'

/** `length` random hexadecimal digits; Docker's ids of containers, networks and execs have 64. */
export const randomHex: (length: number) => string = customAlphabet('0123456789abcdef')
