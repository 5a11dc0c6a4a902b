import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryState } from '../testing/temporary-state.ts'
import { acceptDataLoss } from './accept-data-loss.ts'

/** A component that is this program. */
function server(program: string): { kind: string; args: string[] }[] {
  const file = join(temporaryState().root, 'main.mjs')
  writeFileSync(file, program)
  return [
    { kind: 'scheduler', args: [] },
    { kind: 'api-server', args: [file, '--database=x'] },
  ]
}

test('asks the API server, once, and hands on what it says is lost', async () => {
  const program = `console.log('{"level":30}'); console.log(process.argv.slice(2).join(' '))`
  expect(await acceptDataLoss(server(program))).toBe('--database=x --accept-data-loss')
})

test('hands on why it could not', async () => {
  const fatal = `console.log('{"level":60,"msg":"it is locked"}'); process.exitCode = 1`
  await expect(acceptDataLoss(server(fatal))).rejects.toThrow('it is locked')
  await expect(acceptDataLoss(server('process.exitCode = 1'))).rejects.toThrow('could not look at the database')
})
