/**
 * Holds the documents to the code. Every file, folder and function that one of them names is there, every link leads
 * somewhere, and docs/reading.md tells the true length of its path, which is at most 6,000 lines.
 *
 * When a file of that path has grown: `npm run vitest -- test/unit/docs.test.ts -u` writes the new numbers into it.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve, sep } from 'node:path'
import { describe, expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const readingPath = 'docs/reading.md'
const longestPath = 6_000

const documents = ['', 'docs'].flatMap((folder) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name)),
)

/** Folders of a cluster's state, which documents speak of as well. */
const stateFolders = new Set(['logs/', 'run/'])

/** Every file and folder of ours; a name in a text is there if one of these ends with it. `src` may be left out. */
const places = ['docs', 'examples', 'packages', 'scripts', 'test', '.github'].flatMap((top) => [
  `/${top}/`,
  ...readdirSync(join(root, top), { recursive: true, withFileTypes: true })
    .filter(({ parentPath }) => !/(^|\/)(node_modules|dist)(\/|$)/.test(parentPath))
    .map((entry) => {
      const path = join(entry.parentPath, entry.name).slice(root.length).split(sep).join('/')
      return entry.isDirectory() ? `${path}/` : path
    }),
])

function read(document: string): string {
  return readFileSync(join(root, document), 'utf8')
}

/** "drivers/shim.sh", "pipeline.ts", wherever it stands in the text. */
function filesNamedIn(text: string): string[] {
  return [...text.matchAll(/(?<![\w@.*…-])\/?[\w@.-]+(?:\/[\w@.-]+)*\.(?:ts|sh|mjs|cjs)\b/g)].map(([path]) => path)
}

/** "`registry/kinds/`" in the text. */
function foldersNamedIn(text: string): string[] {
  return [...text.matchAll(/`((?:[\w-]+\/)+)`/g)].map((match) => match[1] ?? '')
}

/** "storage/" at the beginning of an entry of the map's tree. */
function foldersOfTheTree(text: string): string[] {
  const tree = /```\npackages\/\n([^]*?)```/.exec(text)?.[1] ?? ''
  return [...tree.matchAll(/(?:^| )([\w-]+\/)(?= |$)/gm)].map((match) => match[1] ?? '')
}

/** "`createObject()`", "`Runs.#exited()`" in the text. */
function functionsNamedIn(text: string): string[] {
  return [...text.matchAll(/`((?:\w+\.)?#?\w+)\(\)`/g)].map((match) => match[1] ?? '')
}

const sources = places
  .filter((place) => /^\/(packages|scripts)\/.*\.(ts|mjs)$/.test(place) && !place.endsWith('.test.ts'))
  .map((place) => read(place))

/** A method must be in the file of its class; before the dot of `container.save()` stands a variable of any name. */
function isDefined(name: string): boolean {
  const [method = '', owner = ''] = name.split('.').reverse()
  const isOwned = /^[A-Z]/.test(owner)
  const ofOwner = new RegExp(`(class|interface) ${owner}\\b`)
  const itself = new RegExp(`(?<![\\w.])${method}(<.*>)?\\(`)
  return sources.some((source) => itself.test(source) && (!isOwned || ofOwner.test(source)))
}

function isThere(name: string): boolean {
  const ending = name.startsWith('/') ? name : `/${name}`
  if (stateFolders.has(name) || existsSync(join(root, name))) return true
  return places.some((place) => place.endsWith(ending) || place.replace('/src/', '/').endsWith(ending))
}

describe.each(documents)('%s', (document) => {
  const text = read(document)

  test('holds no remains of a merge', () => {
    expect(text).not.toMatch(/^(<{7}|={7}|>{7})( |$)/m)
  })

  test('names only files and folders that are there', () => {
    const named = [...filesNamedIn(text), ...foldersNamedIn(text), ...foldersOfTheTree(text)]
    expect(named.filter((name) => !isThere(name))).toEqual([])
  })

  test('names only functions that are there', () => {
    expect(functionsNamedIn(text).filter((name) => !isDefined(name))).toEqual([])
  })

  test('links only to what is there', () => {
    const links = [...text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map((match) => match[1] ?? '')
    const local = links.filter((link) => !/^[a-z]+:/.test(link))
    expect(local.filter((link) => !existsSync(join(root, dirname(document), link)))).toEqual([])
  })
})

describe('the path through the code', () => {
  const text = read(readingPath)
  const stops = [...text.matchAll(/^\d+\. `([^`]+)` \(/gm)].map((match) => match[1] ?? '')
  const linesOf = (path: string) => readFileSync(join(root, path), 'utf8').split('\n').length - 1
  const sum = stops.reduce((total, path) => total + linesOf(path), 0)

  test('is numbered, and passes no file twice', () => {
    const numbers = [...text.matchAll(/^(\d+)\. /gm)].map((match) => Number(match[1]))
    expect(numbers).toEqual(stops.map((_, index) => index + 1))
    expect(new Set(stops).size).toBe(stops.length)
  })

  test(`is at most ${longestPath} lines long`, () => {
    expect(sum).toBeGreaterThan(0)
    expect(sum).toBeLessThanOrEqual(longestPath)
  })

  test('tells its true length, stop by stop and in the sum', async () => {
    const counted = text
      .replace(/^(\d+\. `([^`]+)` \()\d+/gm, (_, before: string, path: string) => `${before}${linesOf(path)}`)
      .replace(/^All of it: [\d,]+ lines/m, `All of it: ${sum.toLocaleString('en')} lines`)
    expect(counted).toContain(`All of it: ${sum.toLocaleString('en')} lines`)
    await expect(counted).toMatchFileSnapshot(join(root, readingPath))
  })
})
