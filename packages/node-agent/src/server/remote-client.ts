/**
 * Whoever runs exec or attach, as the process at the other end sees him: something that sends input and sizes, and
 * takes output and a final status. Two ways lead here: WebSocket channels (websocket-client.ts) and SPDY
 * (spdy-client.ts).
 */

import type { Status } from '@dinghy/shared/api/errors'

export interface InputHandlers {
  /** Resolves when the process has taken it; until then nothing more is read from the client. */
  stdin: (data: Buffer) => Promise<void>
  stdinEnd: () => void
  resize: (size: { width: number; height: number }) => void
  gone: () => void
}

export type OutputChannel = 'stdout' | 'stderr'

export interface RemoteClient {
  readonly isOpen: boolean
  /** Begins to deliver what the client sends; what came before has waited. */
  receive(handlers: InputHandlers): void
  /** Resolves when the bytes have left, which is what holds the process back if the client is slow. */
  send(to: OutputChannel, data: Buffer): Promise<void>
  /** How it ended, in the way that the client understands. The last thing that is sent. */
  sendStatus(status: Partial<Status>): Promise<void>
  close(): void
}

/** What kubectl sends about its terminal. A client may send anything else: that is no size. */
export function readSize(text: string): { width: number; height: number } | undefined {
  const { Width: width, Height: height } = parsed(text)
  return isSize(width) && isSize(height) ? { width, height } : undefined
}

function parsed(text: string): { Width?: unknown; Height?: unknown } {
  try {
    return (JSON.parse(text) as { Width?: unknown; Height?: unknown } | null) ?? {}
  } catch {
    // Not JSON.
    return {}
  }
}

function isSize(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 65_536
}
