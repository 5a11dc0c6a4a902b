/**
 * Labels of nodes that have had their day, and what to say of them: wherever nodes are chosen by labels. Follows
 * pkg/api/node/util.go.
 */

import { ownValue } from '@dinghy/shared/api/own-value'
import { isLabelValue } from '@dinghy/shared/api/names'
import type { LabelSelector, NodeSelectorTerm } from '@dinghy/shared/api/types'

const deprecatedLabels: Record<string, string> = {
  'beta.kubernetes.io/arch': 'deprecated since v1.14; use "kubernetes.io/arch" instead',
  'beta.kubernetes.io/os': 'deprecated since v1.14; use "kubernetes.io/os" instead',
  'failure-domain.beta.kubernetes.io/region': 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
  'failure-domain.beta.kubernetes.io/zone': 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
  'beta.kubernetes.io/instance-type': 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
  'app.kubernetes.io/created-by': 'deprecated since v1.9',
  'scheduler.alpha.kubernetes.io/preferAvoidPods': 'deprecated since v1.22; use Taints and Tolerations instead',
  'node-role.kubernetes.io/master': 'use "node-role.kubernetes.io/control-plane" instead',
}

/** What to say of this label of nodes, if it has had its day. */
export function deprecatedLabel(label: string | undefined): string | undefined {
  return label === undefined ? undefined : ownValue(deprecatedLabels, label)
}

export function termWarnings(term: NodeSelectorTerm | undefined, checksValues: boolean, path: string): string[] {
  return (term?.matchExpressions ?? []).flatMap(({ key, values = [] }, i) => {
    const at = `${path}.matchExpressions[${i}]`
    const words = deprecatedLabel(key)
    const ofValues = values.flatMap((value, j) =>
      isLabelValue(value).map((problem) => `${at}.values[${j}]: ${value} is invalid, ${problem}`),
    )
    return [...(words ? [`${at}.key: ${key} is ${words}`] : []), ...(checksValues ? ofValues : [])]
  })
}

/** A selector of nodes by their labels. */
export function selectorWarnings(selector: LabelSelector | undefined, path: string): string[] {
  return [
    ...termWarnings(selector, false, path),
    ...Object.keys(selector?.matchLabels ?? {}).flatMap((label) => {
      const words = deprecatedLabel(label)
      return words ? [`${path}.matchLabels.${label}: ${words}`] : []
    }),
  ]
}
