/**
 * Runs main.cjs, a component's whole code, as a script whose compiled code can be kept. In a rehearsal it is written to
 * main.cache when the process ends; a snapshot that is made of main.cjs is given that cache, and so wakes with those
 * functions compiled that a start needs, and with no others (snapshot.mjs).
 *
 *   node [V8 flags] load-main.cjs MAIN.cjs ENTRY [arguments of the component]              a rehearsal
 *   node [V8 flags] --build-snapshot load-main.cjs MAIN.cjs [MAIN.cache]                   what is kept as a snapshot
 *
 * One file, and without modules of our own: Node keeps no process that has loaded any.
 */

const { readFileSync, renameSync, writeFileSync } = require('node:fs')
const { dirname } = require('node:path')
const v8 = require('node:v8')
const { Script } = require('node:vm')

const [, , path, ...rest] = process.argv
const isRehearsal = !v8.startupSnapshot.isBuildingSnapshot()
const cachedData = isRehearsal || rest.length === 0 ? {} : { cachedData: readFileSync(rest[0]) }
const text = `(function (require, module, exports, __filename, __dirname) {${readFileSync(path, 'utf8')}\n})`
const script = new Script(text, { filename: path, ...cachedData })
// All works without.
if (script.cachedDataRejected) console.error(`${rest[0]} is of another text, another Node or other V8 flags`)

if (isRehearsal) {
  process.argv = [process.argv[0], ...rest]
  // V8 takes a cache back only under the flags under which it was written.
  v8.setFlagsFromString = () => undefined
  process.on('exit', () => {
    const temporary = `${path}.${process.pid}`
    writeFileSync(temporary, script.createCachedData())
    renameSync(temporary, path.replace(/cjs$/, 'cache'))
  })
}
const main = { exports: {} }
script.runInThisContext()(require, main, main.exports, path, dirname(path))
