import type { Column } from '../resource-definition.ts'
export function columnsOf(_group: string, _plural: string): Column[] {
  return []
}
