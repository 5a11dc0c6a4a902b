import { expect, test } from 'vitest'
import { expand, expandText, expandToWords } from './expand.ts'

const values: Record<string, string> = { A: 'one', E: '', P: '/usr/local/lib', W: 'x  y', F: 'foo.tar.gz' }
function lookup(name: string) {
  return values[name]
}

test.each([
  ['plain', 'plain'],
  ['$A-${A}x', 'one-onex'],
  ['$UNSET|', '|'],
  ['$', '$'],
  ['a$ b', 'a$ b'],
  ['\\$A', '$A'],
  ["'$A'", '$A'],
  ['"$A \\" \\x"', 'one " \\x'],
  ['a\\ b', 'a b'],
  ['${U:-def}', 'def'],
  ['${E:-def}', 'def'],
  ['${E-def}', ''],
  ['${A:-def}', 'one'],
  ['${U:-${A}}', 'one'],
  ['${A:+yes}', 'yes'],
  ['${E:+yes}', ''],
  ['${E+yes}', 'yes'],
  ['${U+yes}', ''],
  ['${A:?gone}', 'one'],
  ['${P#*/}', 'usr/local/lib'],
  ['${P##*/}', 'lib'],
  ['${P%/*}', '/usr/local'],
  ['${P%%/*}', ''],
  ['${F%.*}', 'foo.tar'],
  ['${F%%.*}', 'foo'],
  ['${P//\\//-}', '-usr-local-lib'],
  ['${P/l?b/X}', '/usr/local/X'],
  ['$1st', 'st'],
])('%s → %j', (word, expected) => expect(expand(word, lookup)).toBe(expected))

test.each([
  ['${A', 'failed to process "${A": syntax error: missing \'}\''],
  ['${}', 'failed to process "${}": syntax error: bad substitution'],
  ['${U?}', 'failed to process "${U?}": U: is not allowed to be unset'],
  ['${E:?no}', 'failed to process "${E:?no}": E: no'],
  ['"x', 'failed to process "\\"x": unexpected end of statement while looking for matching double-quote'],
  ["'x", 'failed to process "\'x": unexpected end of statement while looking for matching single-quote'],
  ['${A:=x}', 'failed to process "${A:=x}": unsupported modifier (:=) in substitution'],
])('%s fails', (word, message) => expect(() => expand(word, lookup)).toThrow(new Error(message)))

test('another escape character', () => {
  expect(expand('`$A \\$A', lookup, '`')).toBe('$A \\one')
})

test('words are cut at blanks from variables, not from quotes', () => {
  expect(expandToWords('$W "$W" z', lookup)).toEqual(['x', 'y', 'x  y', 'z'])
  expect(expandToWords('$E', lookup)).toEqual([])
})

test('in a heredoc quotes are text', () => {
  expect(expandText('a="$A" \'$A\' \\$A \\n', lookup)).toBe('a="one" \'one\' $A \\n')
})
