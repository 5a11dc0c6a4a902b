/**
 * The environment of every program that the runtime starts to do something for it: nothing but where programs are. What
 * a caller of the runtime has in its own environment may be secret, and /proc/PID/environ shows it to whoever may look
 * into a process.
 */

/** Where the machine's tools are looked up; a container's own PATH comes later. */
export const toolsPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Some systems have them elsewhere, and say so in the PATH that we were started with. */
const ownPath = process.env['PATH'] ?? ''

export const toolEnvironment: Readonly<Record<string, string>> = {
  PATH: ownPath === '' ? toolsPath : `${toolsPath}:${ownPath}`,
  LC_ALL: 'C',
}
