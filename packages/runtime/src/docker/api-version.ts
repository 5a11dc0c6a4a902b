/** Which versions of the Engine API are spoken, and the content types by which its streams are known. */
import { badParameter } from '@dinghy/shared/docker/errors'

export const apiVersion = '1.50'
export const minApiVersion = '1.24'

export const rawStream = 'application/vnd.docker.raw-stream'
export const multiplexedStream = 'application/vnd.docker.multiplexed-stream'

export function compareVersions(a: [number, number], b: [number, number]): number {
  return a[0] - b[0] || a[1] - b[1]
}

/** Throws a 400 for a client that speaks none of ours. */
export function checkVersion(version: [number, number] | undefined): void {
  if (version === undefined) return
  const asked = version.join('.')
  if (compareVersions(version, parse(minApiVersion)) < 0) {
    throw badParameter(
      `client version ${asked} is too old. Minimum supported API version is ${minApiVersion}, please upgrade your client to a newer version`,
    )
  }
  if (compareVersions(version, parse(apiVersion)) > 0) {
    throw badParameter(`client version ${asked} is too new. Maximum supported API version is ${apiVersion}`)
  }
}

function parse(text: string): [number, number] {
  return text.split('.').map(Number) as [number, number]
}
