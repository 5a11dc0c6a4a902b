import { expect, test } from 'vitest'
import { actorOf } from './actor.ts'

const cases: [userAgent: string | undefined, fieldManager: string | undefined, actor: string][] = [
  ['deployment-controller', undefined, 'deployment-controller'],
  ['deployment-controller/v0.1', 'x', 'deployment-controller'],
  ['kubelet/node-1', undefined, 'kubelet/node-1'],
  ['kubelet/v1.33.1 (linux/amd64)', undefined, 'kubelet'],
  ['kubectl/v1.33.1 (linux/amd64) kubernetes/8adc0f0', 'kubectl-create', 'kubectl-create'],
  ['kubectl/v1.33.1 (linux/amd64) kubernetes/8adc0f0', undefined, 'kubectl'],
  ['kubectl/v1.33.1 (linux/amd64) kubernetes/8adc0f0', 'ci', 'kubectl/ci'],
  ['kubectl.1.27/v1.27.16', 'kubectl-edit', 'kubectl-edit'],
  ['curl/8.5.0', undefined, 'curl'],
  [undefined, 'my-manager', 'my-manager'],
  [undefined, undefined, 'unknown'],
]

test.each(cases)('%s managing as %s is %s', (userAgent, fieldManager, actor) => {
  expect(actorOf(userAgent, fieldManager)).toBe(actor)
})
