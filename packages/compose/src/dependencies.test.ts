import { expect, test } from 'vitest'
import { dependencyProgress } from './dependencies.ts'
import type { DependencyCondition } from './model.ts'

const StartedAt = '2025-01-01T00:00:00Z'

test.each<[DependencyCondition, string, number, string | undefined, string]>([
  ['service_started', 'running', 0, undefined, 'reached'],
  ['service_started', 'restarting', 1, undefined, 'waiting'],
  ['service_healthy', 'running', 0, 'starting', 'waiting'],
  ['service_healthy', 'running', 0, 'healthy', 'reached'],
  ['service_completed_successfully', 'running', 0, undefined, 'waiting'],
  ['service_completed_successfully', 'exited', 0, undefined, 'reached'],
])('%s: %s (%i, %s) is %s', (condition, Status, ExitCode, health, progress) => {
  const state = { Status, ExitCode, StartedAt, ...(health !== undefined ? { Health: { Status: health } } : {}) }
  expect(dependencyProgress('db', state, condition)).toBe(progress)
})

test.each<[DependencyCondition, string, number, string | undefined, string]>([
  ['service_healthy', 'running', 0, 'unhealthy', 'dependency failed to start: container db is unhealthy'],
  ['service_healthy', 'running', 0, undefined, 'container db has no healthcheck configured'],
  ['service_healthy', 'exited', 3, 'starting', 'dependency failed to start: container db exited (3)'],
  ['service_completed_successfully', 'exited', 2, undefined, 'service "db" didn\'t complete successfully: exit 2'],
])('%s: %s (%i, %s) never gets there', (condition, Status, ExitCode, health, message) => {
  const state = { Status, ExitCode, StartedAt, ...(health !== undefined ? { Health: { Status: health } } : {}) }
  expect(() => dependencyProgress('db', state, condition)).toThrow(message)
})
