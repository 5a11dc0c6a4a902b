import { afterEach, beforeEach, expect, test } from 'vitest'
import { storeFixture } from '../testing/store-fixture.ts'
import { podSecurity } from './pod-security.ts'

let fixture: ReturnType<typeof storeFixture>
beforeEach(() => {
  fixture = storeFixture((reader) => [podSecurity(reader)])
})
afterEach(() => fixture.storage.close())

const prefix = 'pod-security.kubernetes.io'
const containers = [{ name: 'c', image: 'busybox' }]
const privileged = [{ name: 'c', image: 'busybox', securityContext: { privileged: true } }]
const why = 'privileged (container "c" must not set securityContext.privileged=true)'

async function namespace(labels: Record<string, string>) {
  await fixture.create('namespaces', { metadata: { name: 'default', labels } })
}

async function label(labels: Record<string, string>) {
  const change = (current: object | undefined) => ({ ...current, metadata: { name: 'default', labels } }) as never
  await fixture.store.update(fixture.definition('namespaces'), { name: 'default' }, change, fixture.context)
}

test('a pod that violates what is enforced is refused', async () => {
  await namespace({ [`${prefix}/enforce`]: 'baseline' })
  await expect(fixture.create('pods', { metadata: { name: 'p' }, spec: { containers: privileged } })).rejects.toThrow(
    `pods "p" is forbidden: violates PodSecurity "baseline:latest": ${why}`,
  )
  await fixture.create('pods', { metadata: { name: 'q' }, spec: { containers } })
  expect(fixture.warnings).toEqual([])
})

test('what would be refused is warned of in whatever makes pods', async () => {
  await namespace({ [`${prefix}/warn`]: 'baseline', [`${prefix}/warn-version`]: 'v1.33' })
  const template = { metadata: { labels: { a: 'b' } }, spec: { containers: privileged } }
  const warning = `would violate PodSecurity "baseline:v1.33": ${why}`
  await fixture.create('deployments', {
    metadata: { name: 'd' },
    spec: { selector: { matchLabels: { a: 'b' } }, template },
  })
  expect(fixture.warnings).toEqual([warning])
  await fixture.create('pods', { metadata: { name: 'p' }, spec: { containers: privileged } })
  expect(fixture.warnings).toEqual([warning, warning])
})

test('a pod that runs already may be relabelled, and gets no new image', async () => {
  await namespace({})
  await fixture.create('pods', { metadata: { name: 'p' }, spec: { containers: privileged } })
  await label({ [`${prefix}/enforce`]: 'baseline' })
  const update = (change: (pod: { metadata: { labels?: object }; spec: { containers: object[] } }) => void) =>
    fixture.store.update(
      fixture.definition('pods'),
      { namespace: 'default', name: 'p' },
      (current) => {
        change(current as never)
        return current ?? ({} as never)
      },
      fixture.context,
    )
  await update(({ metadata }) => (metadata.labels = { app: 'x' }))
  const other = update(({ spec }) => Object.assign(spec.containers[0] ?? {}, { image: 'other' }))
  await expect(other).rejects.toThrow('violates PodSecurity "baseline:latest"')
})

test('a stricter level tells of the pods that are there', async () => {
  await namespace({})
  for (const name of ['b', 'a', 'c']) {
    await fixture.create('pods', { metadata: { name }, spec: { containers: privileged } })
  }
  await fixture.create('pods', { metadata: { name: 'fine' }, spec: { containers } })
  await label({ [`${prefix}/enforce`]: 'baseline' })
  expect(fixture.warnings).toEqual([
    'existing pods in namespace "default" violate the new PodSecurity enforce level "baseline:latest"',
    'a (and 2 other pods): privileged',
  ])
  await label({})
  expect(fixture.warnings).toHaveLength(2)
})

test('the audit log is told what would violate its level', async () => {
  await namespace({ [`${prefix}/audit`]: 'baseline' })
  const told: Record<string, string> = {}
  const context = { ...fixture.context, annotate: (key: string, value: string) => void (told[key] = value) }
  const pod = { metadata: { name: 'p' }, spec: { containers: privileged } }
  await fixture.store.create(fixture.definition('pods'), 'default', pod as never, context)
  expect(told).toEqual({ [`${prefix}/audit-violations`]: `would violate PodSecurity "baseline:latest": ${why}` })
})

test('labels must make sense', async () => {
  await expect(namespace({ [`${prefix}/enforce`]: 'tight' })).rejects.toThrow(
    `Namespace "default" is invalid: metadata.labels[${prefix}/enforce]: Invalid value: "tight": must be one of privileged, baseline, restricted`,
  )
})
