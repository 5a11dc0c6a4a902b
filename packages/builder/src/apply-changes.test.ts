import { expect, test } from 'vitest'
import { applyChanges } from './apply-changes.ts'

test('Dockerfile instructions, and only some', () => {
  expect(applyChanges({}, ['ENV A=1 B=$A', 'WORKDIR /w', 'EXPOSE 80'])).toEqual({
    Env: ['A=1', 'B='],
    WorkingDir: '/w',
    ExposedPorts: { '80/tcp': {} },
  })
  expect(() => applyChanges({}, ['RUN x'])).toThrow('run is not a valid change command')
})
