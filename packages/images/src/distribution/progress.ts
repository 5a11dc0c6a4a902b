/** What a pull or a push tells while it runs; docker/ turns it into the lines of the stream. */

/** One line of a pull's or push's stream. */
export interface Progress {
  status?: string
  id?: string
  progress?: string
  progressDetail?: { current?: number; total?: number }
  aux?: unknown
}

export type OnProgress = (progress: Progress) => void
