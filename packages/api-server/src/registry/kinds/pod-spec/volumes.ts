/**
 * Volumes of a pod: one source each, and what each source needs. Those of storage systems are in volume-sources.ts.
 */

import { duplicate, forbidden, invalid, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { isDns1123Label, isDns1123Subdomain } from '@dinghy/shared/api/names'
import type { Volume } from '@dinghy/shared/api/types'
import type { DownwardAPIVolumeFile, KeyToPath, VolumeProjection } from 'kubernetes-types/core/v1.js'
import {
  descendingPath,
  fileMode,
  labels,
  named,
  nonNegativeQuantity,
  oneOf,
  requiredText,
  withoutBackSteps,
} from '../checks.ts'
import { validateAnnotations } from '../object-meta.ts'
import { validateClaimSpec } from '../persistent-volume-claim.ts'
import { validateFieldRef, validateResourceFieldRef, volumeFields } from './env.ts'
import { validateStorageSystem } from './volume-sources.ts'

/** `podName` is that of a real pod, whose ephemeral claims are called after it; a template has none. */
export function validateVolumes(
  volumes: Volume[] | undefined,
  podName: string | undefined,
  path: string,
): { errors: FieldError[]; sound: Map<string, Volume> } {
  const claims = new Set(
    (volumes ?? []).filter(({ ephemeral }) => podName && ephemeral).map(({ name }) => `${podName}-${name}`),
  )
  const sound = new Map<string, Volume>()
  const errors = (volumes ?? []).flatMap((volume, i) => {
    const at = `${path}[${i}]`
    const faults = validateSource(volume, podName, at)
    if (!volume.name) faults.push(required(`${at}.name`))
    else faults.push(...named(`${at}.name`, volume.name, isDns1123Label(volume.name)))
    if (sound.has(volume.name)) faults.push(duplicate(`${at}.name`, volume.name))
    if (faults.length === 0) sound.set(volume.name, volume)
    const claim = volume.persistentVolumeClaim?.claimName
    if (claim !== undefined && claims.has(claim)) {
      const detail = 'must not reference a PVC that gets created for an ephemeral volume'
      faults.push(invalid(`${at}.persistentVolumeClaim.claimName`, claim, detail))
    }
    return faults
  })
  return { errors, sound }
}

/** In the order in which upstream looks: the first is looked into, the others are one too many. */
const kinds = `emptyDir hostPath gitRepo gcePersistentDisk awsElasticBlockStore secret nfs iscsi glusterfs flocker
  persistentVolumeClaim rbd cinder cephfs quobyte downwardAPI fc flexVolume configMap azureFile vsphereVolume
  photonPersistentDisk portworxVolume azureDisk storageos projected scaleIO csi ephemeral`.split(
  /\s+/,
) as (keyof Volume)[]

/** How upstream spells these where they are one too many. */
const misspelt = new Map<string, string>([
  ['cephfs', 'cephFS'],
  ['downwardAPI', 'downwarAPI'],
])

function validateSource(volume: Volume, podName: string | undefined, path: string): FieldError[] {
  const [first, ...others] = kinds.filter((kind) => volume[kind] !== undefined)
  if (first === undefined) return [required(path, 'must specify a volume type')]
  const at = `${path}.${first}`
  const errors = validators[first]?.(volume, at) ?? validateStorageSystem(volume, first, volume.name, false, at)
  for (const kind of others) {
    errors.push(forbidden(`${path}.${misspelt.get(kind) ?? kind}`, 'may not specify more than 1 volume type'))
  }
  if (first !== 'ephemeral' || !podName || !volume.name) return errors
  const claim = `${podName}-${volume.name}`
  const details = isDns1123Subdomain(claim).map((text) => `PVC name ${JSON.stringify(claim)}: ${text}`)
  return [...errors, ...named(`${path}.name`, volume.name, details)]
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

type Sources = Partial<Omit<Volume, 'name'>>

/** Shared with PersistentVolumes. */
export function validateHostPath({ hostPath }: Pick<Sources, 'hostPath'>, path: string): FieldError[] {
  if (!hostPath?.path) return [required(`${path}.path`)]
  return [...withoutBackSteps(`${path}.path`, hostPath.path), ...oneOf(`${path}.type`, hostPath.type, hostPathTypes)]
}

const validators: Record<string, ((sources: Sources, path: string) => FieldError[]) | undefined> = {
  emptyDir: ({ emptyDir }, path) =>
    emptyDir?.sizeLimit !== undefined && nonNegativeQuantity(path, emptyDir.sizeLimit).length > 0
      ? [forbidden(`${path}.sizeLimit`, 'SizeLimit field must be a valid resource quantity')]
      : [],
  hostPath: validateHostPath,
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
    ...projections(projected?.sources, path),
  ],
  persistentVolumeClaim: ({ persistentVolumeClaim: claim }, path) =>
    requiredText(`${path}.claimName`, claim?.claimName),
  gitRepo: ({ gitRepo }, path) => [
    ...requiredText(`${path}.repository`, gitRepo?.repository),
    ...descendingPath(`${path}.directory`, gitRepo?.directory ?? ''),
  ],
  ephemeral: ({ ephemeral }, path) => claimTemplate(ephemeral?.volumeClaimTemplate, `${path}.volumeClaimTemplate`),
}

type ClaimTemplate = NonNullable<Volume['ephemeral']>['volumeClaimTemplate']

/** Of its metadata only labels and annotations are for the claim. */
function claimTemplate(template: ClaimTemplate, path: string): FieldError[] {
  if (!template) return [required(path)]
  const { labels: map, annotations, ...others } = template.metadata ?? {}
  return [
    ...validateAnnotations(annotations, `${path}.metadata.annotations`),
    ...labels(`${path}.metadata.labels`, map),
    ...Object.keys(others).map((field) => forbidden(`${path}.metadata.${field}`, 'cannot be set')),
    ...validateClaimSpec(template.spec, `${path}.spec`),
  ]
}

function keysToPaths(items: KeyToPath[] | undefined, path: string): FieldError[] {
  return (items ?? []).flatMap(({ key, path: file, mode }, i) => [
    ...requiredText(`${path}[${i}].key`, key),
    ...filePath(file, `${path}[${i}].path`),
    ...fileMode(`${path}[${i}].mode`, mode),
  ])
}

function downwardFiles(items: DownwardAPIVolumeFile[] | undefined, path: string): FieldError[] {
  return (items ?? []).flatMap(({ path: file, fieldRef, resourceFieldRef, mode }) => {
    const errors = filePath(file, `${path}.path`)
    if (fieldRef) errors.push(...validateFieldRef(fieldRef, volumeFields, `${path}.fieldRef`))
    if (fieldRef && resourceFieldRef) {
      errors.push(invalid(path, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'))
    } else if (resourceFieldRef) {
      errors.push(...validateResourceFieldRef(resourceFieldRef, `${path}.resourceFieldRef`, true))
    } else if (!fieldRef) errors.push(required(path, 'one of fieldRef and resourceFieldRef is required'))
    return [...errors, ...fileMode(`${path}.mode`, mode)]
  })
}

function projections(sources: VolumeProjection[] | undefined, path: string): FieldError[] {
  const files = new Set<string>()
  /** The error shows the ConfigMap or Secret, or else the file. */
  const conflicts = (items: { path?: string }[] | undefined, shown?: string) =>
    (items ?? []).flatMap(({ path: file }) => {
      if (!file) return []
      const errors = files.has(file) ? [invalid(path, shown ?? file, 'conflicting duplicate paths')] : []
      files.add(file)
      return errors
    })
  return (sources ?? []).flatMap((source, i) => {
    const at = `${path}.sources[${i}]`
    const { secret, configMap, downwardAPI, serviceAccountToken: token } = source
    const errors: FieldError[] = []
    for (const [field, object] of Object.entries({ secret, configMap })) {
      if (!object) continue
      errors.push(...requiredText(`${at}.${field}.name`, object.name))
      errors.push(...keysToPaths(object.items, `${at}.${field}.items`), ...conflicts(object.items, object.name ?? ''))
    }
    if (downwardAPI) errors.push(...downwardFiles(downwardAPI.items, `${at}.downwardAPI`))
    errors.push(...conflicts(downwardAPI?.items))
    if (token) errors.push(...validateToken(token, `${at}.serviceAccountToken`, path))
    const count = [secret, configMap, downwardAPI, token].filter(Boolean).length
    if (count > 1) errors.push(forbidden(at, 'may not specify more than 1 volume type per source'))
    return errors
  })
}

/** `volume` is the path of the projected volume, where upstream's errors see the file. */
function validateToken(
  { expirationSeconds: seconds = 3600, path: file }: NonNullable<VolumeProjection['serviceAccountToken']>,
  path: string,
  volume: string,
): FieldError[] {
  const at = `${path}.expirationSeconds`
  const errors: FieldError[] = []
  if (seconds < 600) errors.push(invalid(at, seconds, 'may not specify a duration less than 10 minutes'))
  if (seconds > 2 ** 32) errors.push(invalid(at, seconds, 'may not specify a duration larger than 2^32 seconds'))
  return [...errors, ...filePath(file, `${volume}.path`)]
}

/** Tokens are of an account, which admission gives to each pod that names none: here it is too late. */
export function validateTokensHaveAccount(
  { volumes = [], serviceAccountName }: { volumes?: Volume[]; serviceAccountName?: string },
  path: string,
): FieldError[] {
  if (serviceAccountName) return []
  return volumes.flatMap(({ projected }, i) =>
    (projected?.sources ?? []).flatMap(({ serviceAccountToken }, j) => {
      const at = `${path}.volumes[${i}].projected.sources[${j}].serviceAccountToken`
      return serviceAccountToken ? [forbidden(at, 'must not be specified when serviceAccountName is not set')] : []
    }),
  )
}

/** A file inside a volume: relative, never up, and not hidden behind the ".." names the kubelet itself uses. */
function filePath(file: string | undefined, path: string): FieldError[] {
  if (!file) return [required(path)]
  const errors = descendingPath(path, file)
  if (!file.startsWith('..') || file.startsWith('../')) return errors
  return [...errors, invalid(path, file, "must not start with '..'")]
}
