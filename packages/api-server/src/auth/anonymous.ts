/**
 * Requests without any credentials, and the few paths where they are let in: as upstream's AuthenticationConfiguration
 * has it, `anonymous: { enabled: true, conditions: [{ path }] }`.
 */

import { showsCertificate } from '@dinghy/shared/pki/peer'
import type { AuthenticationRequest } from './authenticate.ts'
import type { UserInfo } from './user.ts'

const anonymousUser: UserInfo = { username: 'system:anonymous', groups: ['system:unauthenticated'] }

/** What upstream's role system:public-info-viewer shows to everybody. */
const publicPaths = new Set(['/healthz', '/livez', '/readyz', '/version', '/version/'])

export function anonymous({ headers, path, socket }: AuthenticationRequest): UserInfo | undefined {
  const hasCredentials = headers.authorization !== undefined || showsCertificate(socket)
  return hasCredentials || !publicPaths.has(path) ? undefined : anonymousUser
}
