/**
 * What every process does in its first moments, done once more while its snapshot is made (scripts/snapshot.mjs): a
 * process that wakes from it finds these functions compiled. Nothing of it is left behind, and nothing leaves the
 * process: no socket, no file, no line of a log.
 */

import { systemClock } from '../api/clock.ts'
import { createPool } from '../http/client.ts'
import { debugApplication } from './debug-server.ts'
import { Health } from './health.ts'
import { createLogger } from './logger.ts'
import { Metrics } from './metrics.ts'
import { addProcessMetrics } from './process-metrics.ts'

export async function warmUp(): Promise<void> {
  const log = createLogger({ name: 'warm-up', level: 'debug', clock: systemClock, write: () => undefined })
  const [health, metrics, queues] = [new Health(), new Metrics(), new Map()]
  health.addCheck('warm-up', () => true)
  addProcessMetrics(metrics, queues)
  const server = debugApplication({ health, metrics, queues })
  await server.app.ready()
  await Promise.all([
    health.run('readyz'),
    metrics.text(),
    createPool('http://localhost', undefined, undefined).close(),
  ])
  log.info({ err: new Error('warm-up') }, 'done')
  await server.close(0)
}
