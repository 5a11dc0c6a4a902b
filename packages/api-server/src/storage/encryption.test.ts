import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import { openStorage, temporaryDatabase } from '../testing/database-fixture.ts'
import { acceptDataLoss } from './data-loss.ts'
import { Encryption, type EncryptionProvider } from './encryption.ts'
import type { SqliteStorage } from './sqlite.ts'
import type { Entry } from './storage.ts'

const secret = '/core/secrets/default/login'
const config = '/core/configmaps/default/login'

function keyFile(path: string): string {
  return join(dirname(path), 'encryption.key')
}

function open(path: string, provider: EncryptionProvider = 'aesgcm'): SqliteStorage {
  return openStorage(path, new Encryption(provider, keyFile(path)))
}

async function put(storage: SqliteStorage, key: string, word: string, deleted = false): Promise<Entry> {
  const object = { kind: 'X', metadata: { name: 'login' }, data: { word } } as unknown as KubernetesObject
  const expected = storage.get(key)?.revision ?? 0
  const [entry] = await storage.write([{ key, object, expected, actor: 'kubectl', deleted }])
  if (!entry) throw new Error('nothing was written')
  return entry
}

/** Everything that lies on the disk. */
function onDisk(path: string): string {
  const files = [path, `${path}-wal`].filter((file) => existsSync(file))
  return files.map((file) => readFileSync(file, 'latin1')).join('')
}

test('Secrets are unreadable on the disk, their past included, and the same as ever to readers', async () => {
  const path = temporaryDatabase()
  const storage = open(path)
  const first = await put(storage, secret, 'hunter2')
  const second = await put(storage, secret, 'correct horse')
  await put(storage, config, 'battery staple')
  const expectSame = (read: SqliteStorage) => {
    expect(read.get(secret, 1)?.value.toString()).toBe(first.value.toString())
    expect(read.get(secret)?.value.toString()).toBe(second.value.toString())
    expect(read.list('/core/secrets/', { revision: 1 }).entries.map(({ value }) => value.toString())).toEqual([
      first.value.toString(),
    ])
    expect(read.history(secret).map(({ object }) => object)).toMatchObject([
      { data: { word: 'correct horse' } },
      { data: { word: 'hunter2' } },
    ])
  }
  expectSame(storage)
  expect(onDisk(path)).not.toMatch(/hunter2|correct horse/)
  expect(onDisk(path)).toContain('battery staple')
  expect(onDisk(path)).toContain('k8s:enc:aesgcm:v1:')
  storage.close()
  const again = open(path)
  expectSame(again)
  for await (const event of again.watch('/core/secrets/', 1, AbortSignal.timeout(30_000))) {
    expect(event).toMatchObject({ type: 'MODIFIED', entry: { revision: 2 } })
    if (event.type !== 'PROGRESS') expect(event.previous?.value.toString()).toBe(first.value.toString())
    break
  }
  await put(again, secret, 'correct horse', true)
  again.close()
  expect(onDisk(path)).not.toMatch(/hunter2|correct horse/)
  expect(statSync(keyFile(path)).mode & 0o777).toBe(0o600)
})

test('identity stores them as they are, and each provider reads what the other has written', async () => {
  const path = temporaryDatabase()
  const plain = open(path, 'identity')
  await put(plain, secret, 'hunter2')
  plain.close()
  expect(onDisk(path)).toContain('hunter2')
  expect(existsSync(keyFile(path))).toBe(false)
  const encrypting = open(path)
  expect(encrypting.get(secret)?.object).toMatchObject({ data: { word: 'hunter2' } })
  await put(encrypting, secret, 'correct horse')
  encrypting.close()
  const again = open(path, 'identity')
  expect(again.history(secret).map(({ object }) => object)).toMatchObject([
    { data: { word: 'correct horse' } },
    { data: { word: 'hunter2' } },
  ])
  again.close()
})

test.each([
  ['gone', (file: string) => rmSync(file), 'are encrypted and their key is gone: put KEY back'],
  [
    'another',
    (file: string) => writeFileSync(file, Buffer.alloc(32, 1).toString('base64')),
    'are encrypted with another key than the one in KEY: put the right file there',
  ],
])('a key that is %s is told in one sentence, and no other is made', async (_what, lose, told) => {
  const path = temporaryDatabase()
  const storage = open(path)
  await put(storage, secret, 'hunter2')
  await put(storage, secret, 'hunter2', true)
  await put(storage, config, 'battery staple')
  storage.close()
  const key = keyFile(path)
  const before = readFileSync(key)
  lose(key)
  const sentence = `${path} cannot be read: Secrets in it ${told.replace('KEY', key)}; \`dinghy up --accept-data-loss\` goes on with what is left`
  for (let attempt = 0; attempt < 2; attempt++) expect(() => open(path)).toThrow(sentence)
  writeFileSync(key, before)
  open(path).close()
  rmSync(key)
  const encryption = new Encryption('aesgcm', key)
  expect(acceptDataLoss({ path, encryption, lockTimeoutMs: 0 })).toContain('up to 2 revisions could not be read')
  const left = open(path)
  expect([left.revision, left.list('/').entries.map(({ key }) => key)]).toEqual([3, [config]])
  left.close()
})

test('a key file that holds no key is told', () => {
  const path = temporaryDatabase()
  writeFileSync(keyFile(path), 'hunter2\n')
  expect(() => open(path)).toThrow(`${keyFile(path)} is not a key: it must hold 32 bytes in base64`)
})

test('a value is bound to its object, and each is encrypted differently', () => {
  const path = temporaryDatabase()
  const encryption = new Encryption('aesgcm', keyFile(path))
  encryption.ensureKey()
  const value = Buffer.from('{"data":1}')
  const [one, other] = [encryption.encode(secret, value), encryption.encode(secret, value)]
  expect(one.equals(other)).toBe(false)
  expect(encryption.decode(secret, one)).toEqual(value)
  expect(() => encryption.decode('/core/secrets/default/other', one)).toThrow()
  expect(encryption.encode(config, value)).toBe(value)
})
