/**
 * Volumes of a pod: one source each, and what the common sources need.
 */

import { duplicate, forbidden, invalid, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { isConfigMapKey, isDns1123Label } from '@dinghy/shared/api/names'
import type { Volume } from '@dinghy/shared/api/types'
import type { DownwardAPIVolumeFile, KeyToPath, VolumeProjection } from 'kubernetes-types/core/v1.js'
import {
  descendingPath,
  fileMode,
  named,
  nonNegativeQuantity,
  oneOf,
  requiredText,
  without,
  withoutBackSteps,
} from '../checks.ts'
import { validateClaimSpec } from '../persistent-volume-claim.ts'
import { validateFieldRef, validateResourceFieldRef, volumeFields } from './env.ts'

export function validateVolumes(volumes: Volume[] | undefined, path: string): FieldError[] {
  const seen = new Set<string>()
  return (volumes ?? []).flatMap((volume, i) => {
    const at = `${path}[${i}]`
    const errors = validateSource(volume, at)
    if (!volume.name) errors.push(required(`${at}.name`))
    else errors.push(...named(`${at}.name`, volume.name, isDns1123Label(volume.name)))
    if (seen.has(volume.name)) errors.push(duplicate(`${at}.name`, volume.name))
    seen.add(volume.name)
    return errors
  })
}

function validateSource(volume: Volume, path: string): FieldError[] {
  const sources = without(volume, 'name')
  const [first, ...others] = Object.keys(sources)
  if (first === undefined) return [required(path, 'must specify a volume type')]
  return [
    ...(validators[first]?.(sources, `${path}.${first}`) ?? []),
    ...others.map((source) => forbidden(`${path}.${source}`, 'may not specify more than 1 volume type')),
  ]
}

const hostPathTypes = [
  '',
  'BlockDevice',
  'CharDevice',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
]

type Sources = Omit<Volume, 'name'>

/** Sources that are not here are accepted as their shape allows: nobody mounts a Flocker volume any more. */
const validators: Record<string, (sources: Sources, path: string) => FieldError[]> = {
  emptyDir: ({ emptyDir }, path) =>
    emptyDir?.sizeLimit !== undefined && nonNegativeQuantity(path, emptyDir.sizeLimit).length > 0
      ? [forbidden(`${path}.sizeLimit`, 'SizeLimit field must be a valid resource quantity')]
      : [],
  hostPath: ({ hostPath }, path) => [
    ...requiredText(`${path}.path`, hostPath?.path),
    ...withoutBackSteps(`${path}.path`, hostPath?.path ?? ''),
    ...oneOf(`${path}.type`, hostPath?.type, hostPathTypes),
  ],
  secret: ({ secret }, path) => [
    ...requiredText(`${path}.secretName`, secret?.secretName),
    ...fileMode(`${path}.defaultMode`, secret?.defaultMode),
    ...keysToPaths(secret?.items, `${path}.items`),
  ],
  configMap: ({ configMap }, path) => [
    ...requiredText(`${path}.name`, configMap?.name),
    ...fileMode(`${path}.defaultMode`, configMap?.defaultMode),
    ...keysToPaths(configMap?.items, `${path}.items`),
  ],
  downwardAPI: ({ downwardAPI }, path) => [
    ...fileMode(`${path}.defaultMode`, downwardAPI?.defaultMode),
    ...downwardFiles(downwardAPI?.items, path),
  ],
  projected: ({ projected }, path) => [
    ...fileMode(`${path}.defaultMode`, projected?.defaultMode),
    ...projections(projected?.sources, `${path}.sources`),
  ],
  persistentVolumeClaim: ({ persistentVolumeClaim: claim }, path) =>
    requiredText(`${path}.claimName`, claim?.claimName),
  nfs: ({ nfs }, path) => [
    ...requiredText(`${path}.server`, nfs?.server),
    ...requiredText(`${path}.path`, nfs?.path),
    ...(nfs?.path?.startsWith('/') ? [] : [invalid(`${path}.path`, nfs?.path ?? '', 'must be an absolute path')]),
  ],
  csi: ({ csi }, path) => requiredText(`${path}.driver`, csi?.driver),
  gitRepo: ({ gitRepo }, path) => [
    ...requiredText(`${path}.repository`, gitRepo?.repository),
    ...descendingPath(`${path}.directory`, gitRepo?.directory ?? ''),
  ],
  ephemeral: ({ ephemeral }, path) =>
    ephemeral?.volumeClaimTemplate
      ? validateClaimSpec(ephemeral.volumeClaimTemplate.spec, `${path}.volumeClaimTemplate.spec`)
      : [required(`${path}.volumeClaimTemplate`)],
}

function keysToPaths(items: KeyToPath[] | undefined, path: string): FieldError[] {
  return (items ?? []).flatMap(({ key, path: file, mode }, i) => [
    ...(key ? named(`${path}[${i}].key`, key, isConfigMapKey(key)) : [required(`${path}[${i}].key`)]),
    ...filePath(file, `${path}[${i}].path`),
    ...fileMode(`${path}[${i}].mode`, mode),
  ])
}

function downwardFiles(items: DownwardAPIVolumeFile[] | undefined, path: string): FieldError[] {
  return (items ?? []).flatMap(({ path: file, fieldRef, resourceFieldRef, mode }) => {
    const errors = [...filePath(file, `${path}.path`), ...fileMode(`${path}.mode`, mode)]
    if (fieldRef) errors.push(...validateFieldRef(fieldRef, volumeFields, `${path}.fieldRef`))
    if (resourceFieldRef) errors.push(...validateResourceFieldRef(resourceFieldRef, `${path}.resourceFieldRef`))
    if (fieldRef && resourceFieldRef) {
      errors.push(invalid(path, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'))
    }
    if (!fieldRef && !resourceFieldRef) {
      errors.push(required(path, 'one of fieldRef and resourceFieldRef is required'))
    }
    return errors
  })
}

function projections(sources: VolumeProjection[] | undefined, path: string): FieldError[] {
  const files = new Set<string>()
  return (sources ?? []).flatMap((source, i) => {
    const at = `${path}[${i}]`
    const { secret, configMap, downwardAPI, serviceAccountToken: token } = source
    const errors: FieldError[] = []
    if (secret) {
      errors.push(...requiredText(`${at}.secret.name`, secret.name), ...keysToPaths(secret.items, `${at}.secret.items`))
    }
    if (configMap) {
      errors.push(...requiredText(`${at}.configMap.name`, configMap.name))
      errors.push(...keysToPaths(configMap.items, `${at}.configMap.items`))
    }
    if (downwardAPI) errors.push(...downwardFiles(downwardAPI.items, `${at}.downwardAPI`))
    if (token) {
      errors.push(...requiredText(`${at}.serviceAccountToken.path`, token.path))
      if ((token.expirationSeconds ?? 3600) < 600) {
        const detail = 'may not specify a duration less than 10 minutes'
        errors.push(invalid(`${at}.serviceAccountToken.expirationSeconds`, token.expirationSeconds, detail))
      }
    }
    if (Object.keys(source).length > 1) errors.push(forbidden(at, 'may not specify more than 1 volume type'))
    for (const file of filesOf(source)) {
      if (files.has(file)) errors.push(invalid(at, file, 'conflicting duplicate paths'))
      files.add(file)
    }
    return errors
  })
}

/** The paths that a source names; those of whole ConfigMaps and Secrets are not known yet. */
function filesOf({ secret, configMap, downwardAPI, serviceAccountToken }: VolumeProjection): string[] {
  const items = [...(secret?.items ?? []), ...(configMap?.items ?? []), ...(downwardAPI?.items ?? [])]
  return [...items.map(({ path }) => path), serviceAccountToken?.path].filter((path) => path !== undefined)
}

/** A file inside a volume: relative, never up, and not hidden behind the ".." names the kubelet itself uses. */
function filePath(file: string | undefined, path: string): FieldError[] {
  if (!file) return [required(path)]
  const errors = descendingPath(path, file)
  if (errors.length > 0) return errors
  return file.startsWith('..') ? [invalid(path, file, "must not start with '..'")] : []
}
