/**
 * Opens the addresses that listen-address.ts has read: unix sockets for their owner alone, TCP behind TLS.
 */
import { once } from 'node:events'
import { chmodSync, existsSync, rmSync } from 'node:fs'
import type { Server } from 'node:http'
import { connect } from 'node:net'
import { serverError } from '@dinghy/shared/docker/errors'
import { messageOf } from '@dinghy/shared/api/message-of'
import { ListenError, type ListenAddress } from './listen-address.ts'

export async function listen(server: Server, address: ListenAddress): Promise<void> {
  if (address.kind === 'unix') return listenOnSocket(server, address.path)
  try {
    server.listen(address.port, address.host)
    await once(server, 'listening')
  } catch (error) {
    throw new ListenError(`cannot listen on tcp://${address.host}:${address.port}: ${messageOf(error)}`)
  }
}

/** A socket that nobody serves any more is replaced. */
async function listenOnSocket(server: Server, path: string): Promise<void> {
  if (existsSync(path)) {
    if (await isServed(path)) throw serverError(`${path} is in use by another runtime`)
    rmSync(path)
  }
  const umask = process.umask(0o177)
  try {
    server.listen(path)
    await once(server, 'listening')
  } finally {
    process.umask(umask)
  }
  chmodSync(path, 0o600)
}

function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path)
    probe.on('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.on('error', () => resolve(false))
  })
}
