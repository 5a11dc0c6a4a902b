/**
 * RuntimeClasses: a name for a way to run containers, with what it costs and where it can run.
 */

import { named, labels, unchanged } from './checks.ts'
import { isDns1123Label } from '@dinghy/shared/api/names'
import type { RuntimeClass } from '@dinghy/shared/api/types'
import type { KindRules } from './kind-rules.ts'
import { deprecatedLabel } from './pod-spec/deprecated-labels.ts'
import { validateResources } from './pod-spec/resources.ts'
import { validateTolerations } from './pod-spec/scheduling.ts'

export const runtimeClasses: KindRules<RuntimeClass> = {
  strategy: {
    validate: ({ handler, overhead, scheduling }) => [
      ...named('handler', handler, isDns1123Label(handler)),
      ...validateResources(overhead?.podFixed ? { limits: overhead.podFixed } : undefined, 'overhead'),
      ...labels('scheduling.nodeSelector', scheduling?.nodeSelector),
      ...validateTolerations(scheduling?.tolerations, 'scheduling.tolerations'),
    ],
    validateUpdate: (next, previous) => unchanged('handler', next.handler, previous.handler),
    // Upstream's path lacks the label.
    warnings: ({ scheduling }) =>
      Object.keys(scheduling?.nodeSelector ?? {}).flatMap((label) => {
        const words = deprecatedLabel(label)
        return words ? [`scheduling.nodeSelector: ${words}`] : []
      }),
    requiresResourceVersion: true,
  },
}
