/**
 * `dinghy completion bash|zsh|fish`: a script for the shell, made from the same table that the commands are. It holds
 * every command, its own commands and its flags, and starts no process when Tab is pressed.
 */

import { Argument, type Command } from 'commander'
import { exitWith, plainCommand } from '@dinghy/clients/command-line/command'

export type Shell = 'bash' | 'zsh' | 'fish'

/** `wholeProgram` loads every command; nobody pays for that who does not ask for it. */
export function completion(wholeProgram: () => Promise<Command>): Command {
  return plainCommand('completion', [
    'source <(dinghy completion bash)       # in ~/.bashrc',
    'source <(dinghy completion zsh)        # in ~/.zshrc, after compinit',
    'dinghy completion fish | source        # in ~/.config/fish/config.fish',
  ])
    .description('Print a script for your shell that completes commands and flags by Tab.')
    .addArgument(new Argument('<shell>', 'which shell').choices(['bash', 'zsh', 'fish']))
    .action(
      exitWith(async (_options: object, shell) => {
        console.log(scriptFor(shell, wordsOf(await wholeProgram())))
        return 0
      }),
    )
}

interface Word {
  text: string
  about: string
}

/** What may come next, by the words that stand before it ("", "node", "node stop"). */
export type NextWords = Map<string, Word[]>

export function wordsOf(command: Command, path = '', next: NextWords = new Map()): NextWords {
  const children = command.commands.map((child) => ({
    text: child.name(),
    about: child.summary() || child.description(),
  }))
  const flags = command.options.flatMap(({ long, short, description, hidden }) =>
    hidden ? [] : [long, short].flatMap((text) => (text ? [{ text, about: description }] : [])),
  )
  next.set(path, [...children, ...flags])
  for (const child of command.commands) wordsOf(child, path === '' ? child.name() : `${path} ${child.name()}`, next)
  return next
}

export function scriptFor(shell: Shell, next: NextWords): string {
  return { bash, zsh, fish }[shell](next)
}

// The path is found by going from word to word for as long as each is a known command.
function bash(next: NextWords): string {
  return `_dinghy() {
  local cur=\${COMP_WORDS[COMP_CWORD]} path= word i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${path:+$path }\${COMP_WORDS[i]}"
    [[ -n \${_dinghy_words[$word]+x} ]] && path=$word
  done
  COMPREPLY=($(compgen -W "\${_dinghy_words[\${path:-.}]}" -- "$cur"))
  [[ \${#COMPREPLY[@]} -gt 0 ]] || COMPREPLY=($(compgen -f -- "$cur"))
}
declare -gA _dinghy_words=(
${table(next, (words) => `"${words.map(({ text }) => text).join(' ')}"`)}
)
complete -F _dinghy dinghy`
}

function zsh(next: NextWords): string {
  const described = (words: Word[]) =>
    quoted(words.map(({ text, about }) => `${text}:${about.replaceAll(':', String.raw`\\:`)}`).join('\n'))
  return `_dinghy() {
  local route= word i
  local -a candidates
  for ((i = 2; i < CURRENT; i++)); do
    word="\${route:+$route }\${words[i]}"
    [[ -n \${_dinghy_words[$word]+x} ]] && route=$word
  done
  candidates=("\${(@f)_dinghy_words[\${route:-.}]}")
  _describe 'dinghy' candidates || _files
}
typeset -gA _dinghy_words=(
${table(next, described)}
)
compdef _dinghy dinghy`
}

function table(next: NextWords, cell: (words: Word[]) => string): string {
  return [...next].map(([path, words]) => `  ["${path || '.'}"]=${cell(words)}`).join('\n')
}

function fish(next: NextWords): string {
  const lines = [...next].flatMap(([path, words]) =>
    words.map(({ text, about }) => `${path}\t${text}\t${about.replaceAll(/\s+/g, ' ')}`),
  )
  return `function __dinghy_next
  set -l route
  for word in (commandline -opc)[2..]
    set -l longer (string trim -- "$route $word")
    string match -q -- "$longer"\\t'*' $__dinghy_words; and set route $longer
  end
  for line in $__dinghy_words
    set -l parts (string split \\t -- $line)
    test "$parts[1]" = "$route"; and printf '%s\\t%s\\n' $parts[2] $parts[3]
  end
end
set -g __dinghy_words ${lines.map(quoted).join(' \\\n  ')}
complete -c dinghy -a '(__dinghy_next)'`
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}
