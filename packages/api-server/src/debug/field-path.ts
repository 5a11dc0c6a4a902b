/**
 * The path of a field as people write it: .spec.replicas, .spec.template.spec.containers[0].image,
 * .spec.containers[name=web].image, .metadata.labels['app.kubernetes.io/name'].
 */

export type Step =
  | { kind: 'field'; name: string }
  | { kind: 'index'; index: number }
  /** The item of a list of which this field has this value. */
  | { kind: 'item'; key: string; value: string }

const step = /\.?([A-Za-z_$][\w$-]*)|\[(\d+)\]|\[['"]([^'"]+)['"]\]|\[([A-Za-z]\w*)=([^\]]+)\]/y

/** Undefined if the text is no such path. */
export function parseFieldPath(text: string): Step[] | undefined {
  const steps: Step[] = []
  step.lastIndex = 0
  while (step.lastIndex < text.length) {
    const [, name, index, quoted, key, value] = step.exec(text) ?? []
    const field = name ?? quoted
    if (field !== undefined) steps.push({ kind: 'field', name: field })
    else if (index !== undefined) steps.push({ kind: 'index', index: Number(index) })
    else if (key !== undefined && value !== undefined) steps.push({ kind: 'item', key, value })
    else return undefined
  }
  return steps.length > 0 ? steps : undefined
}

/** Undefined where there is nothing. */
export function valueAt(object: unknown, path: Step[]): unknown {
  return path.reduce((value, step) => stepInto(value, step), object)
}

export function stepInto(value: unknown, step: Step): unknown {
  if (Array.isArray(value)) {
    if (step.kind === 'index') return value[step.index]
    return step.kind === 'item' ? value.find((item) => String(fieldOf(item, step.key)) === step.value) : undefined
  }
  return step.kind === 'field' ? fieldOf(value, step.name) : undefined
}

function fieldOf(value: unknown, name: string): unknown {
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, name)
  return isMap ? (value as Record<string, unknown>)[name] : undefined
}
