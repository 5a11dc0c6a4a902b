/** `--chown` and `--chmod`: who owns a copied file, and its mode. Names are looked up in the image's own files. */

export interface Owner {
  uid: number
  gid: number
}

/** Reads a text file of the image; undefined if it has none. */
export type ReadText = (path: string) => Promise<string | undefined>

/** `user`, `user:group`, names or numbers. Throws with Docker's message when a name does not exist. */
export async function parseOwner(text: string, read: ReadText): Promise<Owner> {
  const [user = '', group, ...rest] = text.split(':')
  if (rest.length > 0 || user === '') throw new Error(`invalid chown string passed in: ${text}`)
  const failed = (what: string, name: string): Error =>
    new Error(
      `unable to convert uid/gid chown string to host mapping: can't find ${what === 'user' ? 'uid' : 'gid'} ` +
        `for ${what} ${name}: no such ${what}: ${name}`,
    )
  const uid = await lookUp(user, '/etc/passwd', read)
  if (uid === undefined) throw failed('user', user)
  // Without a group, the number or name of the user is taken for the group's as well.
  const gid = await lookUp(group ?? user, '/etc/group', read)
  if (gid !== undefined) return { uid, gid }
  if (group !== undefined) throw failed('group', group)
  return { uid, gid: await primaryGroup(user, read) }
}

/** Octal, up to four digits. */
export function parseMode(text: string): number {
  if (!/^0?[0-7]{1,4}$/.test(text)) {
    throw new Error(`invalid chmod parameter: '${text}'. it should be octal string and between 0 and 07777`)
  }
  return Number.parseInt(text, 8)
}

async function lookUp(name: string, file: string, read: ReadText): Promise<number | undefined> {
  if (/^\d+$/.test(name)) return Number(name)
  const line = (await read(file))?.split('\n').find((entry) => entry.startsWith(`${name}:`))
  return line === undefined ? undefined : Number(line.split(':')[2])
}

async function primaryGroup(user: string, read: ReadText): Promise<number> {
  const line = (await read('/etc/passwd'))?.split('\n').find((entry) => entry.startsWith(`${user}:`))
  return Number(line?.split(':')[3] ?? 0)
}
