/**
 * The admin socket: whoever may open it is the administrator. The file's mode (0600) is the credential, as with
 * Docker's socket, so `curl --unix-socket` needs no certificate, and nobody can lock themselves out by a role: the
 * group system:masters is allowed everything without being asked for.
 */

import { isFromUnixSocket } from '@dinghy/shared/http/server'
import type { AuthenticationRequest } from './authenticate.ts'
import { admin, type UserInfo } from './user.ts'

export function adminSocket({ headers, socket }: AuthenticationRequest): UserInfo | undefined {
  return isFromUnixSocket(socket) && headers.authorization === undefined ? admin : undefined
}
