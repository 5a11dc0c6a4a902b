/**
 * Stored custom resources in one version of them. What is stored may be in another version, and may be older than the
 * schema: it is converted, fields that are no longer known are pruned, and defaults that came later are filled in.
 * Upstream does the same in its storage codec, on every read.
 *
 * Each entry is looked at once and remembered as long as anybody holds the entry; a definition that changes has new
 * views. Where nothing is to be done, the stored object itself is shown, and with it the stored bytes.
 */

import { sameJson } from '@dinghy/shared/api/same-json'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import type { StoredView } from '../registry/resource-definition.ts'
import type { Entry } from '../storage/storage.ts'
import type { Converter, noConversion } from './conversion.ts'

/** Brings an object of the version into the form of its present schema. The object belongs to the callee. */
export type Complete = (object: KubernetesObject) => KubernetesObject

/** Where all versions are alike. */
export function plainView(apiVersion: string, converter: typeof noConversion, complete: Complete): StoredView {
  const shown = new WeakMap<Entry, KubernetesObject>()
  return {
    objectOf(entry) {
      const known = shown.get(entry)
      if (known) return known
      const [converted] = converter.convert([entry.copy()], apiVersion)
      const object = unlessSame(entry, complete(converted ?? entry.copy()))
      shown.set(entry, object)
      return object
    },
  }
}

/** Where a webhook has to be asked, for many objects at a time. */
export function convertedView(apiVersion: string, converter: Converter, complete: Complete): StoredView {
  const shown = new WeakMap<Entry, KubernetesObject>()
  return {
    async prepare(entries) {
      const unknown = [...new Set(entries)].filter((entry) => !shown.has(entry))
      if (unknown.length === 0) return
      const foreign = unknown.filter((entry) => entry.object.apiVersion !== apiVersion)
      const copies = foreign.map((entry) => entry.copy())
      const converted = foreign.length > 0 ? await converter.convert(copies, apiVersion) : []
      for (const entry of unknown) {
        const object = converted[foreign.indexOf(entry)] ?? entry.copy()
        shown.set(entry, unlessSame(entry, complete(object)))
      }
    },
    objectOf(entry) {
      const known = shown.get(entry)
      if (!known) throw new Error(`${entry.key} is shown in ${apiVersion} before it was converted`)
      return known
    },
  }
}

function unlessSame(entry: Entry, object: KubernetesObject): KubernetesObject {
  return sameJson(object, entry.object) ? entry.object : object
}
