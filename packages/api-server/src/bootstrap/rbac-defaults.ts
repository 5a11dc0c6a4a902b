/**
 * Stores the roles and bindings that every cluster has. What is there and complete costs a look and no write; what is
 * missing goes into one commit, past admission and validation, which have nothing to say about our own tables and would
 * make the first start of a cluster slower by a hundred objects. Unlike upstream's they have no managedFields, which
 * would cost three times as much as all the rest.
 */

import { apiVersionOf } from '@dinghy/shared/api/resources'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { BootstrapBinding, BootstrapRole } from '../auth/rbac/bootstrap-policy.ts'
import { rbacGroup } from '../auth/rbac/policy-line.ts'
import { reconcileBinding, reconcileRole } from '../auth/rbac/reconcile.ts'
import { fillForCreate } from '../registry/object-meta.ts'
import { objectKey } from '../registry/object-key.ts'
import type { ResourceDefinition } from '../registry/resource-definition.ts'
import type { Store } from '../registry/store.ts'
import type { StoreParts } from '../registry/store-parts.ts'
import { serverContext } from '../registry/write-context.ts'
import { fillAlwaysWritten } from '../shape/fill.ts'
import type { Mutation } from '../storage/storage.ts'

/** Namespaces that roles live in must be there. */
export async function ensureRbacDefaults(
  store: Store,
  { roles, bindings }: { roles: BootstrapRole[]; bindings: BootstrapBinding[] },
): Promise<void> {
  const { parts } = store
  const created: Mutation[] = []
  const changes: Promise<unknown>[] = []
  const ensure = (plural: string, { name, namespace }: { name: string; namespace?: string }, reconcile: Reconcile) => {
    const key = objectKey({ group: rbacGroup, plural }, namespace, name)
    const existing = parts.storage.get(key)?.object
    const { write, replace } = reconcile(existing)
    if (!write) return
    const definition = definitionOf(parts, plural)
    if (!existing) {
      created.push({ key, expected: 0, object: newObject(parts, definition, write), actor: serverContext.actor })
    } else changes.push(change(store, definition, { namespace, name }, write, replace ?? false))
  }
  for (const role of roles) {
    ensure(role.namespace ? 'roles' : 'clusterroles', role, (existing) => ({
      write: reconcileRole(role, existing),
    }))
  }
  for (const binding of bindings) {
    ensure(binding.namespace ? 'rolebindings' : 'clusterrolebindings', binding, (existing) =>
      reconcileBinding(binding, existing as never),
    )
  }
  if (created.length > 0) changes.push(parts.storage.write(created))
  await Promise.all(changes)
}

type Reconcile = (existing: KubernetesObject | undefined) => { write?: KubernetesObject | undefined; replace?: boolean }

function definitionOf({ resources }: StoreParts, plural: string): ResourceDefinition {
  const definition = resources.get(rbacGroup, 'v1', plural)
  if (!definition) throw new Error(`there is no resource ${plural}.${rbacGroup}`)
  return definition
}

/** What the store would have made of it, but for its managedFields. */
function newObject({ clock }: StoreParts, definition: ResourceDefinition, write: KubernetesObject): KubernetesObject {
  const object = { ...write, apiVersion: apiVersionOf(definition), kind: definition.kind }
  fillForCreate(definition, object, clock.now())
  fillAlwaysWritten(object, definition.type, definition.types)
  return object
}

async function change(
  store: Store,
  definition: ResourceDefinition,
  ref: { namespace: string | undefined; name: string },
  write: KubernetesObject,
  replace: boolean,
): Promise<void> {
  if (replace) await store.delete(definition, ref, {}, serverContext)
  const wanted = () => structuredClone(write)
  await store.update(definition, ref, wanted, serverContext, { createIfMissing: wanted })
}
