/**
 * Stages run at the same time, people read one after the other: each stage writes into a channel of its own, and the
 * channels are shown in the order of the Dockerfile. The first unfinished one is live, the later ones wait.
 */
export class StageOutput {
  readonly #show: (text: string) => void
  readonly #order: number[]
  readonly #waiting = new Map<number, string[]>()
  readonly #finished = new Set<number>()

  /** `order` are the stages' indexes. */
  constructor(order: readonly number[], show: (text: string) => void) {
    this.#order = [...order]
    this.#show = show
  }

  write(stage: number, text: string): void {
    if (this.#order[0] === stage || !this.#order.includes(stage)) this.#show(text)
    else this.#waiting.set(stage, [...(this.#waiting.get(stage) ?? []), text])
  }

  finish(stage: number): void {
    this.#finished.add(stage)
    let head = this.#order[0]
    while (head !== undefined && this.#finished.has(head)) {
      this.#order.shift()
      head = this.#order[0]
      if (head !== undefined) this.#flush(head)
    }
  }

  /** Shows whatever is left, before an error is reported. */
  flushAll(): void {
    for (const stage of this.#order.splice(0)) this.#flush(stage)
  }

  #flush(stage: number): void {
    for (const text of this.#waiting.get(stage) ?? []) this.#show(text)
    this.#waiting.delete(stage)
  }
}
