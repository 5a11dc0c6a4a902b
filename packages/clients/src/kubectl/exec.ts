/**
 * `kubectl exec`: runs a command in a container over a WebSocket, subprotocol v5.channel.k8s.io: the first byte of each
 * message is the channel (0 stdin, 1 stdout, 2 stderr, 3 status), `[255, 0]` says that stdin has ended.
 */

import { Pods, resourcePath } from '@dinghy/shared/api/resources'
import { WebSocket } from 'ws'
import { UsageError } from '../command-line/command.ts'
import type { Verb } from './verb.ts'
import { oneTarget } from './targets.ts'

const stdin = 0
const stdout = 1
const stderr = 2
const status = 3
const close = 255

interface ExecStatus {
  status: 'Success' | 'Failure'
  message?: string
  details?: { causes?: { reason: string; message: string }[] }
}

export const exec: Verb = {
  words: 'POD -- COMMAND [ARG…]',
  summary: 'Run a command in a container of a pod.',
  flags: {
    container: { type: 'string', short: 'c', value: 'name', help: 'which container of the pod' },
    stdin: { type: 'boolean', short: 'i', help: 'pass stdin on' },
  },
  async run({ client, namespace, flags, args, rest }) {
    if (rest.length === 0) throw new UsageError('say what to run: exec POD -- COMMAND')
    const { name } = await oneTarget(client, args, 'pods')
    const query = new URLSearchParams({ stdout: 'true', stderr: 'true', stdin: String(Boolean(flags['stdin'])) })
    if (flags['container']) query.set('container', String(flags['container']))
    for (const word of rest) query.append('command', word)
    const url = `${client.server.replace(/^http/, 'ws')}${resourcePath(Pods, namespace, name, 'exec')}?${query}`
    return attach(new WebSocket(url, 'v5.channel.k8s.io'), Boolean(flags['stdin']))
  },
}

function attach(socket: WebSocket, withStdin: boolean): Promise<number> {
  return new Promise((resolve, reject) => {
    let result: ExecStatus | undefined
    socket.on('open', () => {
      if (!withStdin) return
      process.stdin.on('data', (chunk: Buffer) => socket.send(Buffer.concat([Buffer.of(stdin), chunk])))
      process.stdin.on('end', () => socket.send(Buffer.of(close, stdin)))
    })
    socket.on('message', (message: Buffer) => {
      const [channel] = message
      const data = message.subarray(1)
      if (channel === stdout) process.stdout.write(data)
      if (channel === stderr) process.stderr.write(data)
      if (channel === status) result = JSON.parse(data.toString()) as ExecStatus
    })
    socket.on('unexpected-response', (_request, response) => {
      let body = ''
      response.on('data', (chunk: Buffer) => (body += chunk.toString()))
      response.on('end', () => reject(new Error((JSON.parse(body) as { message: string }).message)))
    })
    socket.on('error', reject)
    socket.on('close', () => {
      process.stdin.unref()
      if (!result) return reject(new Error('the connection was closed before the command ended'))
      if (result.status === 'Success') return resolve(0)
      const code = result.details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message
      if (code === undefined) return reject(new Error(result.message))
      console.error(`command terminated with exit code ${code}`)
      resolve(Number(code))
    })
  })
}
