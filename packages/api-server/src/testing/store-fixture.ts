/**
 * A store on an in-memory database with a clock that stands still, for tests.
 */

import { FakeClock } from '@dinghy/shared/api/clock'
import type { KubernetesObject } from '@dinghy/shared/api/types'
import { loadSchema } from '@dinghy/shared/schema/schema'
import type { AdmissionPlugin } from '../registry/admission.ts'
import { AdmissionChain } from '../registry/admission.ts'
import { SqliteStorage } from '../storage/sqlite.ts'
import { builtinDefinitions } from '../registry/definitions.ts'
import { parseIpv4Range } from '../registry/ipv4-range.ts'
import { Reader } from '../registry/reader.ts'
import { Reservations } from '../registry/reservations.ts'
import type { ResourceDefinition } from '../registry/resource-definition.ts'
import { Resources } from '../registry/resources.ts'
import { ServiceAllocator } from '../registry/service-allocators.ts'
import { Store } from '../registry/store.ts'
import type { WriteContext } from '../registry/write-context.ts'

export function storeFixture(
  plugins: (reader: Reader, parts: { resources: Resources; clock: FakeClock }) => AdmissionPlugin[] = () => [],
) {
  const clock = new FakeClock('2025-01-01T00:00:00Z')
  const storage = new SqliteStorage({ path: ':memory:', clock })
  const reader = new Reader(storage)
  const resources = new Resources(builtinDefinitions(loadSchema()))
  const admission = new AdmissionChain(plugins(reader, { resources, clock }))
  const allocator = new ServiceAllocator(reader, parseIpv4Range('10.96.0.0/24'), { first: 30000, last: 30009 })
  const reservations = new Reservations([allocator])
  const store = new Store({ storage, resources, admission, reservations, clock })
  const warnings: string[] = []
  const context: WriteContext = {
    user: { username: 'tester', groups: [] },
    actor: 'test',
    dryRun: false,
    warn: (message) => warnings.push(message),
  }
  const definition = (name: string): ResourceDefinition => {
    const found = resources.all().find(({ plural }) => plural === name)
    if (!found) throw new Error(`no resource ${name}`)
    return found
  }
  return {
    clock,
    storage,
    store,
    reader,
    resources,
    context,
    warnings,
    definition,
    dryRun: { ...context, dryRun: true },
    /** Creates an object of the kind in "default" and returns it as stored. */
    async create(plural: string, object: object): Promise<KubernetesObject> {
      const kind = definition(plural)
      const namespace = kind.namespaced ? 'default' : undefined
      const entry = await store.create(kind, namespace, object as KubernetesObject, context)
      return entry.copy()
    },
  }
}

export function pod(name: string, more: object = {}) {
  return {
    metadata: { name, ...more },
    spec: { containers: [{ name: 'c', image: 'busybox' }] },
  }
}
