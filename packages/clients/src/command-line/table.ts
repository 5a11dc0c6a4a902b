/**
 * A meta.k8s.io/v1 Table as aligned text. Pure.
 */

export interface Table {
  metadata: { resourceVersion?: string }
  columnDefinitions: { name: string; priority: number }[]
  rows: { cells: (string | number | boolean | null)[]; object?: { metadata?: { namespace?: string } } }[]
}

export interface TableOptions {
  wide: boolean
  namespaces: boolean
  headers: boolean
  /** Put before each name, when several kinds are listed together. */
  prefix: string
}

/** The cells as text, header first; columns of priority above 0 only when wide. */
export function tableRows(table: Table, { wide, namespaces, headers, prefix }: TableOptions): string[][] {
  const columns = table.columnDefinitions.map((column, index) => ({ ...column, index }))
  const shown = columns.filter((column) => wide || column.priority === 0)
  const header = [...(namespaces ? ['NAMESPACE'] : []), ...shown.map(({ name }) => name.toUpperCase())]
  const rows = table.rows.map(({ cells, object }) => [
    ...(namespaces ? [object?.metadata?.namespace ?? ''] : []),
    ...shown.map(({ index }) => `${index === 0 ? prefix : ''}${cells[index] ?? '<none>'}`),
  ])
  return headers ? [header, ...rows] : rows
}

/** Three spaces between columns, as kubectl prints; `least` keeps later rows in line with earlier ones. */
export function alignRows(rows: string[][], least: number[] = []): string {
  const widths = rows.reduce<number[]>(
    (max, row) => row.map((cell, i) => Math.max(max[i] ?? least[i] ?? 0, cell.length)),
    [],
  )
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('   ')
        .trimEnd(),
    )
    .join('\n')
}
