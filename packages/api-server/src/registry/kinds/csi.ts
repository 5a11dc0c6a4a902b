/**
 * CSIDrivers, CSINodes and CSIStorageCapacities: what storage drivers say about themselves, about each node, and about
 * the room they have left. They are checked and kept; no driver is ever called (docs/limits.md).
 */

import { isDeepStrictEqual } from 'node:util'
import { duplicate, invalid, notSupported, required, tooLong, type FieldError } from '@dinghy/shared/api/field-errors'
import { isDns1123Subdomain, isQualifiedName } from '@dinghy/shared/api/names'
import type { CSIDriver, CSINode, CSIStorageCapacity } from '@dinghy/shared/api/types'
import type { CSIDriverSpec, CSINodeDriver, TokenRequest } from 'kubernetes-types/storage/v1.js'
import { labelSelector, named, nonNegative, nonNegativeQuantity, oneOf, unchanged } from './checks.ts'
import type { KindRules } from './kind-rules.ts'
import { selectorWarnings } from './pod-spec/deprecated-labels.ts'

export const csiDrivers: KindRules<CSIDriver> = {
  strategy: {
    defaults({ spec }) {
      if (!spec) return
      spec.attachRequired ??= true
      spec.podInfoOnMount ??= false
      spec.storageCapacity ??= false
      spec.fsGroupPolicy ??= 'ReadWriteOnceWithFSType'
      spec.requiresRepublish ??= false
      spec.seLinuxMount ??= false
      if (!spec.volumeLifecycleModes?.length) spec.volumeLifecycleModes = ['Persistent']
    },
    prepareForCreate: dropDisabledFields,
    prepareForUpdate: dropDisabledFields,
    validate: ({ spec }) => validateDriver(spec),
    validateUpdate: ({ spec: next }, { spec: previous }) => [
      // The misspelt path is upstream's.
      ...unchanged('spec.attachedRequired', next.attachRequired, previous.attachRequired),
      ...unchanged('spec.volumeLifecycleModes', next.volumeLifecycleModes, previous.volumeLifecycleModes),
    ],
    requiresResourceVersion: true,
  },
}

const fsGroupPolicies = ['File', 'None', 'ReadWriteOnceWithFSType']
const lifecycleModes = ['Persistent', 'Ephemeral']

/** A field of a feature that is alpha in 1.33, and so dropped as upstream does while its gate is closed. */
function dropDisabledFields(driver: CSIDriver): void {
  delete (driver.spec as { nodeAllocatableUpdatePeriodSeconds?: number }).nodeAllocatableUpdatePeriodSeconds
}

function validateDriver(spec: CSIDriverSpec): FieldError[] {
  const { volumeLifecycleModes = [] } = spec
  const errors = oneOf('spec.fsGroupPolicy', spec.fsGroupPolicy, fsGroupPolicies)
  errors.push(...validateTokenRequests(spec.tokenRequests ?? [], 'spec.tokenRequests'))
  for (const mode of volumeLifecycleModes) {
    if (!lifecycleModes.includes(mode)) errors.push(notSupported('spec.volumeLifecycleModes', mode, lifecycleModes))
  }
  return errors
}

function validateTokenRequests(requests: TokenRequest[], path: string): FieldError[] {
  const audiences = requests.map(({ audience }) => audience)
  return requests.flatMap(({ audience, expirationSeconds: seconds }, i) => {
    if (audiences.indexOf(audience) < i) return [duplicate(`${path}[${i}].audience`, audience)]
    const at = `${path}[${i}].expirationSeconds`
    if (seconds === undefined) return []
    if (seconds < 600) return [invalid(at, seconds, 'may not specify a duration less than 10 minutes')]
    return seconds > 2 ** 32 ? [invalid(at, seconds, 'may not specify a duration larger than 2^32 seconds')] : []
  })
}

export const csiNodes: KindRules<CSINode> = {
  strategy: {
    validate({ spec: { drivers } }) {
      const names = drivers.map(({ name }) => name)
      return drivers.flatMap((driver, i) => {
        const path = `spec.drivers[${i}]`
        const errors = validateNodeDriver(driver, path)
        if (names.indexOf(driver.name) < i) errors.push(duplicate(`${path}.name`, driver.name))
        return [...errors, ...validateTopologyKeys(driver.topologyKeys ?? [], path)]
      })
    },
    // Drivers come and go, but what one has said of its node stays.
    validateUpdate: ({ spec: { drivers: next } }, { spec: { drivers: previous } }) =>
      previous.flatMap((old) => {
        const driver = next.find(({ name }) => name === old.name)
        if (!driver || isDeepStrictEqual(driver, old)) return []
        return [invalid('spec.drivers', driver, 'field is immutable')]
      }),
    requiresResourceVersion: true,
  },
}

const maxNodeIdBytes = 256

function validateNodeDriver({ name, nodeID, allocatable }: CSINodeDriver, path: string): FieldError[] {
  const errors = validateCsiDriverName(name, `${path}.name`)
  if (!nodeID) errors.push(required(`${path}.nodeID`))
  else if (Buffer.byteLength(nodeID) > maxNodeIdBytes) {
    errors.push(invalid(`${path}.nodeID`, nodeID, `must be ${maxNodeIdBytes} characters or less`))
  }
  return [...errors, ...nonNegative(`${path}.allocatable.count`, allocatable?.count)]
}

function validateTopologyKeys(keys: string[], path: string): FieldError[] {
  return keys.flatMap((key, i) => [
    ...(key === '' ? [required(path)] : []),
    ...(keys.indexOf(key) < i ? [duplicate(path, key)] : []),
    ...named(path, key, isQualifiedName(key)),
  ])
}

export function validateCsiDriverName(name: string | undefined, path: string): FieldError[] {
  const text = name ?? ''
  const errors = text === '' ? [required(path)] : []
  if (Buffer.byteLength(text) > 63) errors.push(tooLong(path, 63))
  return [...errors, ...named(path, text, isDns1123Subdomain(text.toLowerCase()))]
}

export const csiStorageCapacities: KindRules<CSIStorageCapacity> = {
  strategy: {
    validate: ({ nodeTopology, storageClassName, capacity }) => [
      ...labelSelector('nodeTopology', nodeTopology),
      ...named('storageClassName', storageClassName, isDns1123Subdomain(storageClassName)),
      ...(capacity === undefined ? [] : nonNegativeQuantity('capacity', capacity)),
    ],
    validateUpdate: (next, previous) => [
      ...unchanged('nodeTopology', next.nodeTopology, previous.nodeTopology),
      ...unchanged('storageClassName', next.storageClassName, previous.storageClassName),
    ],
    warnings: ({ nodeTopology }) => selectorWarnings(nodeTopology, 'nodeTopology'),
    requiresResourceVersion: true,
  },
}
