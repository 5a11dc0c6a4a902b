/**
 * The environment of a container: envFrom, then env in order, then the Services. Pure: ConfigMaps and Secrets are
 * looked up through functions that answer from a cache. Follows upstream's Kubelet.makeEnvironmentVariables.
 *
 * Callers may rely on: a reference that cannot be resolved and is not optional throws EnvError, which the pod shows as
 * CreateContainerConfigError; later settings of a name win over earlier ones.
 */

import { isEnvVarName } from '@dinghy/shared/api/names'
import type { ConfigMap, Container, EnvFromSource, EnvVar, Pod, Secret } from '@dinghy/shared/api/types'
import { fieldValue, resourceValue, type PlaceFacts } from './downward.ts'
import { expand } from './expansion.ts'

export class EnvError extends Error {}

export interface EnvSources extends PlaceFacts {
  configMap(name: string): ConfigMap | undefined
  secret(name: string): Secret | undefined
  serviceEnv: ReadonlyMap<string, string>
}

export interface Environment {
  variables: Map<string, string>
  /** Keys of an envFrom source that cannot be variable names: they are left out, and an event says so. */
  skipped: { source: string; keys: string[] }[]
}

export function makeEnvironment(pod: Pod, container: Container, sources: EnvSources): Environment {
  const variables = new Map<string, string>()
  const skipped: Environment['skipped'] = []
  const namespace = pod.metadata.namespace ?? 'default'
  for (const from of container.envFrom ?? []) {
    const { source, data } = envFromData(from, namespace, sources)
    const invalid: string[] = []
    for (const [key, value] of Object.entries(data)) {
      const name = (from.prefix ?? '') + key
      if (isEnvVarName(name).length > 0) invalid.push(name)
      else variables.set(name, value)
    }
    if (invalid.length > 0) skipped.push({ source, keys: invalid.sort() })
  }
  for (const variable of container.env ?? []) {
    const value = valueOf(variable, { pod, container, namespace, sources, variables })
    if (value !== undefined) variables.set(variable.name, value)
  }
  // The pod's own settings win over what the cluster would tell it.
  for (const [name, value] of sources.serviceEnv) if (!variables.has(name)) variables.set(name, value)
  return { variables, skipped }
}

/** The command and its arguments as Docker wants them; undefined leaves the image's own in place. */
export function expandedCommand(container: Container, variables: ReadonlyMap<string, string>) {
  const expandAll = (words: string[] | undefined) => words?.map((word) => expand(word, (name) => variables.get(name)))
  return { entrypoint: expandAll(container.command), cmd: expandAll(container.args) }
}

function envFromData(
  { configMapRef, secretRef }: EnvFromSource,
  namespace: string,
  sources: EnvSources,
): { source: string; data: Record<string, string> } {
  if (configMapRef) {
    const name = configMapRef.name ?? ''
    const map = sources.configMap(name)
    if (!map && !configMapRef.optional) throw new EnvError(`configmap "${name}" not found`)
    return { source: `configMap ${namespace}/${name}`, data: map?.data ?? {} }
  }
  const name = secretRef?.name ?? ''
  const secret = sources.secret(name)
  if (!secret && !secretRef?.optional) throw new EnvError(`secret "${name}" not found`)
  return { source: `secret ${namespace}/${name}`, data: decoded(secret) }
}

interface ValueContext {
  pod: Pod
  container: Container
  namespace: string
  sources: EnvSources
  variables: ReadonlyMap<string, string>
}

/** undefined: an optional reference to nothing. The variable is then not set at all. */
function valueOf({ value, valueFrom }: EnvVar, context: ValueContext): string | undefined {
  const { pod, container, namespace, sources, variables } = context
  if (!valueFrom) return expand(value ?? '', (name) => variables.get(name) ?? sources.serviceEnv.get(name))
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef } = valueFrom
  if (fieldRef) return asEnvError(() => fieldValue(pod, fieldRef.fieldPath, sources))
  if (resourceFieldRef) return asEnvError(() => resourceValue(pod, container, resourceFieldRef, sources))
  if (configMapKeyRef) {
    const { name = '', key, optional } = configMapKeyRef
    const map = sources.configMap(name)
    if (!map && !optional) throw new EnvError(`configmap "${name}" not found`)
    const found = map?.data?.[key]
    if (found === undefined && !optional) {
      throw new EnvError(`couldn't find key ${key} in ConfigMap ${namespace}/${name}`)
    }
    return found
  }
  if (secretKeyRef) {
    const { name = '', key, optional } = secretKeyRef
    const secret = sources.secret(name)
    if (!secret && !optional) throw new EnvError(`secret "${name}" not found`)
    const found = decoded(secret)[key]
    if (found === undefined && !optional) throw new EnvError(`couldn't find key ${key} in Secret ${namespace}/${name}`)
    return found
  }
  return ''
}

function decoded(secret: Secret | undefined): Record<string, string> {
  const entries = Object.entries(secret?.data ?? {})
  return Object.fromEntries(entries.map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]))
}

function asEnvError(read: () => string): string {
  try {
    return read()
  } catch (error) {
    throw new EnvError((error as Error).message, { cause: error })
  }
}
