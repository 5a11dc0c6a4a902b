/**
 * PriorityLevelConfigurations: how many requests of one level may run, and what happens to the others (flow-control/).
 */

import { isDeepStrictEqual } from 'node:util'
import { forbidden, invalid, notSupported, required, type FieldError } from '@dinghy/shared/api/field-errors'
import type { PriorityLevelConfiguration } from '@dinghy/shared/api/types'
import type {
  LimitedPriorityLevelConfiguration,
  LimitResponse,
  PriorityLevelConfigurationSpec,
  QueuingConfiguration,
} from 'kubernetes-types/flowcontrol/v1.js'
import { between, uniqueConditions, without } from './checks.ts'
import type { KindRules } from './kind-rules.ts'

export const priorityLevelConfigurations: KindRules<PriorityLevelConfiguration> = {
  strategy: {
    defaults({ spec }) {
      const { exempt, limited } = spec ?? {}
      if (exempt) {
        exempt.nominalConcurrencyShares ??= 0
        exempt.lendablePercent ??= 0
      }
      if (limited) {
        limited.nominalConcurrencyShares ??= 30
        limited.lendablePercent ??= 0
        defaultQueuing(limited.limitResponse?.queuing)
      }
    },
    generationOf: ({ spec }) => spec,
    validate: ({ metadata, spec }) => validateSpec(spec ?? {}, metadata.name),
    validateStatusUpdate: ({ status }) => uniqueConditions('status.conditions', status?.conditions),
  },
}

function defaultQueuing(queuing: QueuingConfiguration | undefined): void {
  if (!queuing) return
  queuing.handSize ||= 8
  queuing.queues ||= 64
  queuing.queueLengthLimit ||= 50
}

const catchAll: PriorityLevelConfigurationSpec = {
  type: 'Limited',
  limited: { nominalConcurrencyShares: 5, lendablePercent: 0, limitResponse: { type: 'Reject' } },
}

function validateSpec(spec: Partial<PriorityLevelConfigurationSpec>, name: string): FieldError[] {
  const { type = '', limited, exempt } = spec
  const errors: FieldError[] = []
  if ((name === 'exempt') !== (type === 'Exempt')) {
    errors.push(invalid('spec.type', type, "type must be 'Exempt' if and only if name is 'exempt'"))
  }
  if (type === 'Exempt') {
    if (limited) errors.push(forbidden('spec.limited', 'must be nil if the type is not Limited'))
    if (exempt) errors.push(...validateShares(exempt, 'spec.exempt'))
  } else if (type === 'Limited') {
    if (exempt) errors.push(forbidden('spec.exempt', 'must be nil if the type is Limited'))
    if (!limited) errors.push(required('spec.limited', 'must not be empty when type is Limited'))
    else errors.push(...validateLimited(limited, 'spec.limited'))
  } else errors.push(notSupported('spec.type', type, ['Exempt', 'Limited']))
  return [...errors, ...validateMandatory(spec, name)]
}

/** Two levels that upstream itself relies on; of "exempt" only the shares may change. */
function validateMandatory(spec: Partial<PriorityLevelConfigurationSpec>, name: string): FieldError[] {
  if (name === 'exempt' && !isDeepStrictEqual(without(spec, 'exempt'), { type: 'Exempt' })) {
    return [invalid('spec', spec, "spec of 'exempt' except the 'spec.exempt' field must equal the fixed value")]
  }
  if (name === 'catch-all' && !isDeepStrictEqual(spec, catchAll)) {
    return [invalid('spec', spec, "spec of 'catch-all' must equal the fixed value")]
  }
  return []
}

interface Shares {
  nominalConcurrencyShares?: number
  lendablePercent?: number
}

function validateShares({ nominalConcurrencyShares: shares = 0, lendablePercent }: Shares, path: string): FieldError[] {
  const detail = 'must be a non-negative integer'
  return [
    ...(shares < 0 ? [invalid(`${path}.nominalConcurrencyShares`, shares, detail)] : []),
    ...between(`${path}.lendablePercent`, lendablePercent, 0, 100),
  ]
}

function validateLimited(limited: LimitedPriorityLevelConfiguration, path: string): FieldError[] {
  const { limitResponse, borrowingLimitPercent: borrowing } = limited
  return [
    ...validateShares(limited, path),
    ...validateResponse(limitResponse, `${path}.limitResponse`),
    ...(borrowing !== undefined && borrowing < 0
      ? [invalid(`${path}.borrowingLimitPercent`, borrowing, 'if specified, must be a non-negative integer')]
      : []),
  ]
}

/** That the messages say "Limited" where they mean "Queue" is upstream's. */
function validateResponse(response: Partial<LimitResponse> | undefined, path: string): FieldError[] {
  const { type = '', queuing } = response ?? {}
  const at = `${path}.queuing`
  if (type === 'Reject') {
    return queuing ? [forbidden(at, 'must be nil if limited.limitResponse.type is not Limited')] : []
  }
  if (type !== 'Queue') return [notSupported(`${path}.type`, type, ['Queue', 'Reject'])]
  if (!queuing) return [required(at, 'must not be empty if limited.limitResponse.type is Limited')]
  return validateQueuing(queuing, at)
}

const maxQueues = 10_000_000
/** How many bits of a request's hash may choose its queues. */
const maxHashBits = 60

function validateQueuing(
  { queues = 0, handSize = 0, queueLengthLimit = 0 }: QueuingConfiguration,
  path: string,
): FieldError[] {
  const errors = mustBePositive(`${path}.queueLengthLimit`, queueLengthLimit)
  errors.push(...mustBePositive(`${path}.queues`, queues))
  if (queues > maxQueues) errors.push(invalid(`${path}.queues`, queues, `must not be greater than ${maxQueues}`))
  const at = `${path}.handSize`
  if (handSize <= 0) return [...errors, ...mustBePositive(at, handSize)]
  if (handSize > queues) {
    return [...errors, invalid(at, handSize, `should not be greater than queues (${queues})`)]
  }
  if (Math.ceil(Math.log2(queues) * handSize) <= maxHashBits) return errors
  const detail = `required entropy bits of deckSize ${queues} and handSize ${handSize} should not be greater than ${maxHashBits}`
  return [...errors, invalid(at, handSize, detail)]
}

function mustBePositive(path: string, value: number): FieldError[] {
  return value <= 0 ? [invalid(path, value, 'must be positive')] : []
}
