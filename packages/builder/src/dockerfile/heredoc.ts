/**
 * Heredocs in a Dockerfile: `RUN <<EOF`, `COPY <<"EOF" <<-two /dest/`. The word that announces one is found here;
 * the body, up to a line that is exactly the name, is read by lines.ts.
 */
import { splitWords } from './words.ts'

export interface Heredoc {
  name: string
  /** Variables in the body are expanded (COPY and ADD): the name was not quoted. */
  expand: boolean
  /** `<<-`: leading tabs of each line are for the reader's eye only. */
  stripTabs: boolean
  content: string
}

const announcement = /^\d*<<(-?)([^<].*)$/

/** Heredocs announced by words of the line, in order, with bodies still empty. */
export function findHeredocs(line: string, escape: string): Heredoc[] {
  return splitWords(line, escape).flatMap((word) => parseHeredoc(word) ?? [])
}

export function parseHeredoc(word: string): Heredoc | undefined {
  const match = announcement.exec(word)
  if (!match) return undefined
  const quoted = match[2] ?? ''
  const name = quoted.replace(/["']/g, '')
  if (name === '' || /[^\w.-]/.test(name)) return undefined
  return { name, expand: name === quoted, stripTabs: match[1] === '-', content: '' }
}

/** The body as a file gets it. */
export function heredocText(heredoc: Heredoc): string {
  return heredoc.stripTabs ? heredoc.content.replace(/^\t+/gm, '') : heredoc.content
}
