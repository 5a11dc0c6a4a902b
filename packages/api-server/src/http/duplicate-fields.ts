/**
 * Finds keys that a JSON text sets twice, which JSON.parse forgives and Kubernetes' strict decoding does not.
 *
 * A single pass over text that JSON.parse has already accepted, so it need not check the grammar: strings are skipped,
 * braces and brackets keep the path.
 */

interface Frame {
  /** The keys seen, if this is an object; undefined if it is a list. */
  keys: Set<string> | undefined
  /** The key, or index, of the value being read. */
  key: string
  index: number
}

/** `duplicate field "spec.replicas"` for each repeated key, once. */
export function duplicateFields(json: string): string[] {
  const found = new Set<string>()
  const stack: Frame[] = []
  let expectsKey = false
  for (let i = 0; i < json.length; i++) {
    const top = stack.at(-1)
    switch (json[i]) {
      case '{':
        stack.push({ keys: new Set(), key: '', index: 0 })
        expectsKey = true
        break
      case '[':
        stack.push({ keys: undefined, key: '', index: 0 })
        expectsKey = false
        break
      case '}':
      case ']':
        stack.pop()
        expectsKey = false
        break
      case ',':
        if (top?.keys) expectsKey = true
        else if (top) top.index++
        break
      case '"': {
        const end = endOfString(json, i)
        if (expectsKey && top?.keys) {
          top.key = JSON.parse(json.slice(i, end + 1)) as string
          if (top.keys.has(top.key)) found.add(`duplicate field ${JSON.stringify(pathOf(stack))}`)
          top.keys.add(top.key)
          expectsKey = false
        }
        i = end
        break
      }
    }
  }
  return [...found]
}

function endOfString(json: string, start: number): number {
  let end = json.indexOf('"', start + 1)
  while (end !== -1 && isEscaped(json, end)) end = json.indexOf('"', end + 1)
  return end === -1 ? json.length : end
}

function isEscaped(json: string, at: number): boolean {
  let backslashes = 0
  while (json[at - 1 - backslashes] === '\\') backslashes++
  return backslashes % 2 === 1
}

function pathOf(stack: Frame[]): string {
  return stack.reduce((path, { keys, key, index }) => {
    if (!keys) return `${path}[${index}]`
    return path === '' ? key : `${path}.${key}`
  }, '')
}
