/**
 * Who a process of a container is: `--user` looked up in the container's own /etc/passwd and /etc/group.
 */
import { readFileSync } from 'node:fs'
import { badParameter } from '@dinghy/shared/docker/errors'
import type { ProcessSpec } from '../driver.ts'
import type { Lookup } from '../executable.ts'

export interface Identity {
  uid: number
  gid: number
  /** Supplementary groups, without `gid`. */
  groups: number[]
  home: string
}

interface PasswdEntry {
  name: string
  uid: number
  gid: number
  home: string
}
interface GroupEntry {
  name: string
  gid: number
  members: string[]
}

export function identityIn({ user, groupAdd = [] }: Pick<ProcessSpec, 'user' | 'groupAdd'>, lookup: Lookup): Identity {
  const read = (path: string) => {
    const found = lookup(path)
    return found?.isFile ? readFileSync(found.hostPath, 'utf8') : ''
  }
  return identityOf(user, groupAdd, read('/etc/passwd'), read('/etc/group'))
}

/**
 * Pure. `user` is "", "name", "uid", "name:group", "uid:gid" or a mix. As in Docker a numeric id needs no entry, a name
 * does; with an explicit group the user's supplementary groups do not apply.
 */
export function identityOf(user: string, groupAdd: string[], passwd: string, group: string): Identity {
  const users = parsePasswd(passwd)
  const groups = parseGroup(group)
  const [userPart = '', groupPart] = user.split(':', 2)
  const entry = findUser(userPart || '0', users)
  if (entry === undefined && userPart !== '' && !isNumber(userPart)) {
    throw badParameter(`unable to find user ${userPart}: no matching entries in passwd file`)
  }
  const uid = entry?.uid ?? Number(userPart || 0)
  const gid = groupPart === undefined || groupPart === '' ? (entry?.gid ?? 0) : gidOf(groupPart, groups)
  const own =
    groupPart || entry === undefined
      ? []
      : groups.filter((candidate) => candidate.members.includes(entry.name)).map((candidate) => candidate.gid)
  const added = groupAdd.map((name) => gidOf(name, groups))
  return {
    uid,
    gid,
    groups: [...new Set([...own, ...added])].filter((id) => id !== gid),
    home: entry?.home || '/',
  }
}

/** The user of exactly this name. Pure. */
export function userNamed(name: string, passwd: string): Pick<Identity, 'uid' | 'gid'> | undefined {
  const found = parsePasswd(passwd).find((entry) => entry.name === name)
  return found && { uid: found.uid, gid: found.gid }
}

function findUser(text: string, users: PasswdEntry[]): PasswdEntry | undefined {
  // A name wins over a number: somebody may be called "1000".
  return (
    users.find((entry) => entry.name === text) ?? users.find((entry) => isNumber(text) && entry.uid === Number(text))
  )
}

function gidOf(text: string, groups: GroupEntry[]): number {
  const entry = groups.find((candidate) => candidate.name === text)
  if (entry !== undefined) return entry.gid
  if (isNumber(text)) return Number(text)
  throw badParameter(`unable to find group ${text}: no matching entries in group file`)
}

function isNumber(text: string): boolean {
  return /^\d+$/.test(text)
}

function parsePasswd(text: string): PasswdEntry[] {
  return lines(text).flatMap((fields) => {
    const [name = '', , uid = '', gid = '', , home = ''] = fields
    return isNumber(uid) && isNumber(gid) ? [{ name, uid: Number(uid), gid: Number(gid), home }] : []
  })
}

function parseGroup(text: string): GroupEntry[] {
  return lines(text).flatMap((fields) => {
    const [name = '', , gid = '', members = ''] = fields
    return isNumber(gid) ? [{ name, gid: Number(gid), members: members.split(',').filter(Boolean) }] : []
  })
}

function lines(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'))
}
