/** Options of mounts that an ordinary user, in a user namespace, must not change. Pure. */
const locked = ['ro', 'nosuid', 'nodev', 'noexec']

/**
 * The kernel copies the mounts of a namespace into one that belongs to a lesser user with these options locked, and
 * mount(8) would ask for a change of them whenever it makes a mount read-only. `mountinfo` as in proc(5).
 */
export function keptOptions(mountinfo: string, path: string): string {
  let at = ''
  let kept: string[] = []
  for (const line of mountinfo.split('\n')) {
    const [, , , , point = '', options = ''] = line.split(' ')
    const mountPoint = point.replace(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    )
    const contains = mountPoint === '/' || path === mountPoint || path.startsWith(`${mountPoint}/`)
    // Of two at the same place the later one is on top.
    if (mountPoint === '' || !contains || mountPoint.length < at.length) continue
    at = mountPoint
    kept = options.split(',').filter((option) => locked.includes(option))
  }
  return kept.map((option) => `,${option}`).join('')
}
