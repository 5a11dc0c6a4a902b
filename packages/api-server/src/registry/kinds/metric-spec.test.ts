import { expect, test } from 'vitest'
import { problemsOf } from '../../testing/kind-fixture.ts'

function autoscaler(more: object) {
  return {
    spec: { scaleTargetRef: { kind: 'Deployment', name: 'd' }, maxReplicas: 3, ...more },
  }
}

function measuring(metric: object) {
  return autoscaler({ metrics: [metric] })
}

const metric = { name: 'requests' }
const target = { type: 'AverageValue', averageValue: '5' }
const at = 'spec.metrics[0]'

test.each<[object, string[]]>([
  [measuring({ type: 'Pods', pods: { metric, target } }), []],
  [measuring({ type: 'External', external: { metric, target } }), []],
  [measuring({ type: 'Object', object: { metric, target, describedObject: { kind: 'Ingress', name: 'i' } } }), []],
  [measuring({ type: 'ContainerResource', containerResource: { name: 'cpu', container: 'c', target } }), []],
  [
    measuring({ type: 'Resource' }),
    [`${at}.resource: Required value: must populate information for the given metric source`],
  ],
  [
    measuring({ type: 'Resource', resource: { name: 'cpu', target: { type: 'Share' } } }),
    [
      `${at}.resource.target.type: Invalid value: "Share": must be either Utilization, Value, or AverageValue`,
      `${at}.resource.target.averageUtilization: Required value: must set either a target raw value or a target utilization`,
    ],
  ],
  [
    measuring({
      type: 'Resource',
      resource: { target: { type: 'Utilization', averageUtilization: 0, averageValue: '0' } },
    }),
    [
      `${at}.resource.name: Required value: must specify a resource name`,
      `${at}.resource.target.averageValue: Invalid value: "0": must be positive`,
      `${at}.resource.target.averageUtilization: Invalid value: 0: must be greater than 0`,
      `${at}.resource.target.averageValue: Forbidden: may not set both a target raw value and a target utilization`,
    ],
  ],
  [
    measuring({ type: 'Pods', pods: { metric: {}, target: { type: 'Value', value: '1' } } }),
    [
      `${at}.pods.metric.name: Required value: must specify a metric name`,
      `${at}.pods.target.averageValue: Required value: must specify a positive target averageValue`,
    ],
  ],
  [
    measuring({ type: 'External', external: { metric, target: { ...target, value: '1' } } }),
    [`${at}.external.target.value: Forbidden: may not set both a target value for metric and a per-pod target`],
  ],
  [
    measuring({ type: 'Pods', pods: { metric, target }, resource: { name: 'cpu', target } }),
    [`${at}.resource: Forbidden: must populate the given metric source only`],
  ],
  [
    autoscaler({ scaleTargetRef: { kind: 'a/b' } }),
    [`spec.scaleTargetRef.kind: Invalid value: "a/b": may not contain '/'`, 'spec.scaleTargetRef.name: Required value'],
  ],
  [
    autoscaler({
      behavior: {
        scaleUp: { stabilizationWindowSeconds: 3601 },
        scaleDown: { policies: [{ type: 'Nodes', value: 0, periodSeconds: 1801 }] },
      },
    }),
    [
      'spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 3601: must be less than or equal to 3600',
      'spec.behavior.scaleDown.policies[0].type: Unsupported value: "Nodes": supported values: "Percent", "Pods"',
      'spec.behavior.scaleDown.policies[0].value: Invalid value: 0: must be greater than zero',
      'spec.behavior.scaleDown.policies[0].periodSeconds: Invalid value: 1801: must be less than or equal to 1800',
    ],
  ],
])('HorizontalPodAutoscaler %#', (sent, messages) => {
  expect(problemsOf('horizontalpodautoscalers.v2', sent)).toEqual(messages)
})
