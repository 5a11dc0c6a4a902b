/**
 * $(VAR) in env values, commands and arguments. Pure. Follows upstream's third_party/forked/golang/expansion:
 * "$(A)" becomes the value of A, or stays as it is when A is unknown; "$$" is an escaped "$", so "$$(A)" becomes the
 * text "$(A)"; any other "$" stands for itself.
 */

const reference = /\$(?:\$|\(([^)]*)\))/g

export function expand(text: string, lookUp: (name: string) => string | undefined): string {
  return text.replace(reference, (whole, name: string | undefined) => {
    if (name === undefined) return '$'
    return lookUp(name) ?? whole
  })
}
