/**
 * `kubectl get`: the server makes the table, this only lines it up. With -w each change is one more row.
 */

import { readJson, readLines } from '@dinghy/shared/http/client'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import { resourcePath } from '@dinghy/shared/api/resources'
import { stringify } from 'yaml'
import { UsageError } from '../command-line/command.ts'
import type { KubectlContext, Verb } from './verb.ts'
import { alignRows, type Table, tableRows } from '../command-line/table.ts'
import { label, type Target, targetsOf } from './targets.ts'

const tableAccept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'

export const get: Verb = {
  words: 'KIND[,KIND] [NAME…]',
  summary: 'Show objects.',
  flags: {
    output: { type: 'string', short: 'o', value: 'format', help: 'wide, json, yaml or name' },
    watch: { type: 'boolean', short: 'w', help: 'go on with a line a change' },
    selector: { type: 'string', short: 'l', value: 'selector', help: 'only objects with these labels' },
    'field-selector': { type: 'string', value: 'selector', help: 'only objects with these fields' },
    'no-headers': { type: 'boolean', help: 'without the first line' },
  },
  async run(context) {
    const output = context.flags['output'] as string | undefined
    if (output !== undefined && !['wide', 'json', 'yaml', 'name'].includes(output)) {
      throw new UsageError(`-o takes wide, json, yaml or name, not "${output}"`)
    }
    const targets = await targetsOf(context.client, context.args)
    if (output === 'json' || output === 'yaml' || output === 'name') return printObjects(context, targets, output)
    if (context.flags['watch']) {
      const [target] = targets
      if (targets.length !== 1 || !target) throw new UsageError('-w watches one kind at a time')
      return watchTable(context, target)
    }
    return printTables(context, targets)
  },
}

async function printTables(context: KubectlContext, targets: Target[]): Promise<number> {
  let shown = 0
  for (const target of targets) {
    const table = await readJson<Table>(
      await context.client.raw('GET', pathOf(context, target), undefined, { Accept: tableAccept }, context.signal),
    )
    if (table.rows.length === 0) continue
    if (shown++ > 0) console.log('')
    // Several kinds at once: the name says which.
    const prefix = targets.length > 1 && !target.name ? label({ resource: target.resource, name: '' }) : ''
    console.log(alignRows(tableRows(table, options(context, prefix))))
  }
  if (shown === 0)
    console.error(`No resources found${context.allNamespaces ? '' : ` in ${context.namespace} namespace.`}`)
  return 0
}

async function watchTable(context: KubectlContext, target: Target): Promise<number> {
  const { client, signal } = context
  const first = await readJson<Table>(
    await client.raw('GET', pathOf(context, target), undefined, { Accept: tableAccept }, signal),
  )
  const rows = tableRows(first, options(context, ''))
  const widths = rows.reduce<number[]>((max, row) => row.map((cell, i) => Math.max(max[i] ?? 0, cell.length)), [])
  console.log(alignRows(rows, widths))
  const query = { watch: 'true', resourceVersion: first.metadata.resourceVersion ?? '0' }
  const response = await client.raw('GET', pathOf(context, target, query), undefined, { Accept: tableAccept }, signal)
  for await (const line of readLines(response.body)) {
    const event = JSON.parse(line) as { type: string; object: Table }
    if (event.type === 'BOOKMARK') continue
    if (event.type === 'ERROR') throw new Error((event.object as unknown as { message: string }).message)
    // Later events may omit the columns: the first answer's hold.
    const table = { ...event.object, columnDefinitions: first.columnDefinitions }
    console.log(alignRows(tableRows(table, { ...options(context, ''), headers: false }), widths))
  }
  return 0
}

async function printObjects(
  context: KubectlContext,
  targets: Target[],
  output: 'json' | 'yaml' | 'name',
): Promise<number> {
  const answers = await Promise.all(
    targets.map(async (target) => ({
      target,
      body: await readJson<KubernetesObject & { items?: KubernetesObject[] }>(
        await context.client.raw('GET', pathOf(context, target), undefined, {}, context.signal),
      ),
    })),
  )
  if (output === 'name') {
    for (const { target, body } of answers) {
      for (const { metadata } of body.items ?? [body])
        console.log(label({ resource: target.resource, name: metadata.name }))
    }
    return 0
  }
  const [only] = answers
  const items = answers.flatMap(({ body }) => body.items ?? [body])
  const whole = answers.length === 1 && only ? only.body : { apiVersion: 'v1', kind: 'List', items, metadata: {} }
  console.log(output === 'json' ? JSON.stringify(whole, null, 4) : stringify(whole, { lineWidth: 0 }).trimEnd())
  return 0
}

function pathOf(context: KubectlContext, { resource, name }: Target, extra: Record<string, string> = {}): string {
  const namespace = resource.namespaced && !context.allNamespaces ? context.namespace : undefined
  const query = new URLSearchParams(extra)
  if (context.flags['selector']) query.set('labelSelector', String(context.flags['selector']))
  const fields = [
    context.flags['field-selector'],
    name !== undefined && extra['watch'] ? `metadata.name=${name}` : undefined,
  ]
  const fieldSelector = fields.filter(Boolean).join(',')
  if (fieldSelector) query.set('fieldSelector', fieldSelector)
  const path = resourcePath(resource, namespace, extra['watch'] ? undefined : name)
  return query.size > 0 ? `${path}?${query}` : path
}

function options({ flags, allNamespaces }: KubectlContext, prefix: string) {
  return { wide: flags['output'] === 'wide', namespaces: allNamespaces, headers: !flags['no-headers'], prefix }
}
