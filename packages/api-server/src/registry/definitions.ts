/**
 * Every built-in resource: its shape from the schema, its rules from kinds/*, its columns from columns/*.
 *
 * A kind that is in none of those folders is still a full citizen – decoded, patched, stored and listed by its shape
 * alone; it merely has no defaults or rules of its own, and prints NAME and AGE.
 */

import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { ResourceShape, Schema } from '@dinghy/shared/schema/schema'
import { columnsOf } from './columns/columns.ts'
import type { KindRules } from './kinds/kind-rules.ts'
import { rulesOf } from './kinds/kinds.ts'
import { validateFinalizerIsQualified } from './kinds/object-meta.ts'
import { allPatchTypes } from '../patch/patch.ts'
import { fillAlwaysWritten } from '../shape/fill.ts'
import type { ResourceDefinition, Strategy } from './resource-definition.ts'

export function builtinDefinitions(schema: Schema): ResourceDefinition[] {
  return schema.resources().map((shape) => define(shape, schema))
}

function define(shape: ResourceShape, schema: Schema): ResourceDefinition {
  const rules = rulesOf(shape.group, shape.plural)
  const subresources = shape.subresources.map((subresource) => subresource.name)
  return {
    group: shape.group,
    version: shape.version,
    kind: shape.kind,
    listKind: `${shape.kind}List`,
    plural: shape.plural,
    singular: shape.singular,
    namespaced: shape.namespaced,
    shortNames: shape.shortNames,
    categories: shape.categories,
    verbs: shape.verbs,
    type: shape.type,
    types: schema,
    patchTypes: allPatchTypes,
    ...(rules.deprecation ? { deprecation: rules.deprecation } : {}),
    storage: rules.storage ?? { group: shape.group, plural: shape.plural, version: shape.version },
    strategy: completed(rules.strategy ?? {}, shape.type, schema),
    columns: columnsOf(shape.group, shape.plural),
    subresources: {
      status: subresources.includes('status'),
      ...(rules.scale && subresources.includes('scale') ? { scale: rules.scale } : {}),
      others: subresources.filter((name) => name !== 'status' && name !== 'scale'),
      shapes: shape.subresources,
    },
    createOnly: shape.verbs.length === 1 && shape.verbs[0] === 'create',
    selectableFields: selectableFields(rules),
  }
}

function selectableFields({ selectableFields = {} }: KindRules): ResourceDefinition['selectableFields'] {
  const fields = Object.entries(selectableFields)
  return Object.fromEntries(fields.map(([path, read]) => [path, (object: KubernetesObject) => read(object) ?? '']))
}

/** What holds for every built-in kind, besides its own rules. */
function completed(strategy: Strategy, type: string, schema: Schema): Strategy {
  return {
    ...strategy,
    defaults(object) {
      fillSpec(object, type, schema)
      strategy.defaults?.(object)
      fillAlwaysWritten(object, type, schema)
    },
    validate: (object) => [...validateFinalizerIsQualified(object), ...(strategy.validate?.(object) ?? [])],
  }
}

/** Go has a spec even where the author wrote none, so the rules of a kind need not ask whether there is one. */
function fillSpec(object: KubernetesObject, type: string, schema: Schema): void {
  const spec = schema.field(type, 'spec')
  if (spec?.type.kind === 'object' && !spec.isPointer) (object as { spec?: object }).spec ??= {}
}
