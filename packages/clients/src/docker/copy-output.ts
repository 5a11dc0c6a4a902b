/** Copies a framed stream to this process' own stdout and stderr; returns when it ends. */

import type { Readable } from 'node:stream'
import { demultiplex } from '@dinghy/shared/docker/stdcopy'

export async function copyOutput(source: Readable): Promise<void> {
  for await (const { stream, data } of demultiplex(source)) process[stream].write(data)
}
