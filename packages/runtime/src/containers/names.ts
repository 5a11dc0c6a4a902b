/**
 * Names and ids of containers.
 */
import { randomHex } from '@dinghy/shared/api/ids'
import { badParameter } from '@dinghy/shared/docker/errors'

const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/

/** 64 hex digits whose first twelve are not all decimal, so that a short id is never mistaken for a number. */
export function newId(): string {
  for (;;) {
    const id = randomHex(64)
    if (!/^\d+$/.test(id.slice(0, 12))) return id
  }
}

/** The name without the slash that some clients put before it. Throws a 400 for what cannot be a name. */
export function checkName(name: string): string {
  const bare = name.replace(/^\//, '')
  if (!namePattern.test(bare)) {
    throw badParameter(`Invalid container name (${bare}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`)
  }
  return bare
}

const manners = [
  'able',
  'brave',
  'brisk',
  'calm',
  'clever',
  'eager',
  'fair',
  'gentle',
  'handy',
  'keen',
  'lively',
  'lucky',
  'merry',
  'nimble',
  'patient',
  'proud',
  'quick',
  'quiet',
  'ready',
  'salty',
  'steady',
  'sturdy',
  'swift',
  'trim',
  'trusty',
  'windy',
  'wise',
  'young',
]
const sailors = [
  'anne_bonny',
  'barents',
  'baret',
  'bligh',
  'cabral',
  'cartier',
  'cook',
  'darwin',
  'drake',
  'eriksson',
  'fitzroy',
  'flinders',
  'gama',
  'heyerdahl',
  'hudson',
  'joshua_slocum',
  'macarthur',
  'magellan',
  'moitessier',
  'nansen',
  'nelson',
  'polo',
  'shackleton',
  'tabarly',
  'tasman',
  'tristan_jones',
  'vespucci',
  'zheng_he',
]

/** A name for a container whose maker gave none, unlike any that `isTaken`. */
export function inventName(isTaken: (name: string) => boolean): string {
  const pick = (words: string[]) => words[Math.floor(Math.random() * words.length)] ?? 'dinghy'
  for (let attempt = 0; ; attempt++) {
    const name = `${pick(manners)}_${pick(sailors)}${attempt < 6 ? '' : Math.floor(Math.random() * 10 ** (attempt - 5))}`
    if (!isTaken(name)) return name
  }
}
