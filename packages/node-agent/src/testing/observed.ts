/**
 * Builders of what an engine shows, for tests of the pure parts.
 */

import { containerHash } from '../observed/labels.ts'
import type { ObservedContainer, ObservedPod, ObservedSandbox } from '../observed/observed-pod.ts'
import { startOfTime } from './objects.ts'

export function sandbox(overrides: Partial<ObservedSandbox> = {}): ObservedSandbox {
  return {
    id: `sandbox-${overrides.attempt ?? 0}`,
    ready: true,
    ip: '10.244.1.7',
    attempt: 0,
    createdAt: startOfTime,
    ...overrides,
  }
}

function made(name: string, overrides: Partial<ObservedContainer>): ObservedContainer {
  const restartCount = overrides.restartCount ?? 0
  return {
    id: `${name}-${restartCount}`,
    name,
    state: 'running',
    createdAt: startOfTime,
    startedAt: startOfTime,
    exitCode: 0,
    oomKilled: false,
    image: 'busybox:1',
    imageId: 'sha256:abc',
    hash: containerHash({ name, image: 'busybox:1' }),
    sandboxId: 'sandbox-0',
    restartCount,
    crashLoopDelayMs: 0,
    terminationMessagePolicy: 'File',
    tty: false,
    ...overrides,
  }
}

export function running(name = 'app', overrides: Partial<ObservedContainer> = {}): ObservedContainer {
  return made(name, overrides)
}

export function exited(name: string, exitCode: number, overrides: Partial<ObservedContainer> = {}): ObservedContainer {
  return made(name, { state: 'exited', exitCode, finishedAt: startOfTime + 1000, ...overrides })
}

/** Containers newest first, in a live sandbox unless told otherwise. */
export function seen(containers: ObservedContainer[], sandboxes: ObservedSandbox[] = [sandbox()]): ObservedPod {
  return {
    sandboxes,
    containers,
  }
}
