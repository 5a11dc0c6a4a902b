/**
 * The environment of every program that the runtime starts to do something for it: nothing but where programs are. What
 * a caller of the runtime has in its own environment may be secret, and /proc/PID/environ shows it to whoever may look
 * into a process.
 */

import { atStart } from '@dinghy/shared/api/at-start'

/** Where the machine's tools are looked up; a container's own PATH comes later. */
export const toolsPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export const toolEnvironment = { PATH: toolsPath, LC_ALL: 'C' }

/** Some systems have them elsewhere, and say so in the PATH that we were started with. */
atStart(() => {
  const ownPath = process.env['PATH'] ?? ''
  if (ownPath !== '') toolEnvironment.PATH = `${toolsPath}:${ownPath}`
})
