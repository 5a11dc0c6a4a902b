import { describe, expect, test } from 'vitest'
import { loadSchema } from '@dinghy/shared/schema/schema'
import { conform } from './conform.ts'
import { fillAlwaysWritten } from './fill.ts'

const schema = loadSchema()

function filled(typeName: string, object: object = {}): Record<string, unknown> {
  fillAlwaysWritten(object, typeName, schema)
  return object as Record<string, unknown>
}

describe('what strict clients look for in an object that nobody has touched yet', () => {
  test.each([
    ['apps.v1.Deployment', {}],
    ['apps.v1.ReplicaSet', { replicas: 0 }],
    ['apps.v1.StatefulSet', { replicas: 0, availableReplicas: 0 }],
    [
      'apps.v1.DaemonSet',
      { currentNumberScheduled: 0, numberMisscheduled: 0, desiredNumberScheduled: 0, numberReady: 0 },
    ],
    ['core.v1.ReplicationController', { replicas: 0 }],
    ['core.v1.Service', { loadBalancer: {} }],
    ['core.v1.Pod', {}],
    ['networking.v1.Ingress', { loadBalancer: {} }],
    ['policy.v1.PodDisruptionBudget', { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 }],
    ['autoscaling.v1.HorizontalPodAutoscaler', { currentReplicas: 0, desiredReplicas: 0 }],
    ['autoscaling.v2.HorizontalPodAutoscaler', { currentMetrics: [], desiredReplicas: 0 }],
    ['storage.v1.VolumeAttachment', { attached: false }],
    ['batch.v1.Job', {}],
    ['batch.v1.CronJob', {}],
  ])('%s has the status %j', (typeName, status) => {
    expect(filled(typeName)['status']).toEqual(status)
  })

  test.each([
    ['core.v1.LimitRange', { spec: { limits: [] } }],
    ['rbac.v1.ClusterRole', { rules: [] }],
    ['storage.v1.CSINode', { spec: { drivers: [] } }],
    ['scheduling.v1.PriorityClass', { value: 0 }],
    ['core.v1.ContainerStatus', { state: {}, lastState: {}, ready: false, restartCount: 0 }],
    ['core.v1.ResourceFieldSelector', { divisor: '0' }],
    ['apps.v1.StatefulSetOrdinals', { start: 0 }],
  ])('%s has %j', (typeName, members) => {
    expect(filled(typeName)).toMatchObject(members)
  })
})

test('what was there stays, and is filled in turn', () => {
  const pod = filled('core.v1.Pod', {
    spec: { containers: [{ name: 'a' }, { name: 'b', resources: { limits: { cpu: '1' } } }] },
  })
  expect(pod['spec']).toEqual({
    containers: [
      { name: 'a', resources: {} },
      { name: 'b', resources: { limits: { cpu: '1' } } },
    ],
  })
})

test('a pointer that nobody set stays away', () => {
  expect(filled('core.v1.PodSpec')).not.toHaveProperty('securityContext')
  expect(filled('apps.v1.DeploymentSpec')).not.toHaveProperty('selector')
})

const kinds = schema.resources().map(({ type }) => type)

describe.each(kinds)('%s', (typeName) => {
  test('lacks no field that is always written, except those that Go writes as null', () => {
    const shape = schema.type(typeName)
    const object = filled(typeName)
    const lacking = [...(shape?.fields.values() ?? [])].filter(
      ({ name, alwaysWritten, type }) => alwaysWritten && type.kind !== 'scalar' && object[name] === undefined,
    )
    expect(lacking).toEqual([])
  })

  test('keeps what was filled in when it is decoded again', () => {
    const object = filled(typeName)
    const again = filled(typeName, conform(object, typeName, schema).object)
    expect(again).toEqual(object)
  })
})
