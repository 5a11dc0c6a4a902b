/**
 * The kinds of volumes that need a storage system of their own: NFS, iSCSI, Ceph, the disks of clouds. They are
 * checked, kept and never mounted (docs/limits.md). A pod's and a PersistentVolume's differ in little, mostly in that
 * the second names the namespace of a Secret.
 */

import { invalid, notSupported, required, type FieldError } from '@dinghy/shared/api/field-errors'
import { isDns1123Label, isDns1123Subdomain } from '@dinghy/shared/api/names'
import type { Volume } from '@dinghy/shared/api/types'
import type { PersistentVolumeSpec } from 'kubernetes-types/core/v1.js'
import { between, named, oneOf, requiredText } from '../checks.ts'
import { validateCsiDriverName } from '../csi.ts'

/** What a source must say, in upstream's order; whatever else it must say follows below. */
const needed: Record<string, readonly string[]> = {
  awsElasticBlockStore: ['volumeID'],
  azureFile: ['secretName', 'shareName'],
  cephfs: ['monitors'],
  cinder: ['volumeID'],
  flexVolume: ['driver'],
  gcePersistentDisk: ['pdName'],
  glusterfs: ['endpoints', 'path'],
  nfs: ['server', 'path'],
  photonPersistentDisk: ['pdID'],
  portworxVolume: ['volumeID'],
  rbd: ['monitors', 'image'],
  scaleIO: ['gateway', 'system', 'volumeName'],
  vsphereVolume: ['volumePath'],
}

type AnySource = Partial<Omit<Volume, 'name'>> | Partial<PersistentVolumeSpec>

/** `owner` is the volume's name in the pod, or the PersistentVolume's; `isPersistent` tells which of the two. */
export function validateStorageSystem(
  sources: AnySource,
  kind: string,
  owner: string,
  isPersistent: boolean,
  path: string,
): FieldError[] {
  // Upstream calls this one by another name once it looks inside.
  const at = kind === 'gcePersistentDisk' ? path.replace(/gcePersistentDisk$/, 'persistentDisk') : path
  const source = new Map<string, unknown>(Object.entries(sources)).get(kind) as Record<string, unknown>
  const isMissing = (field: string) => {
    const value = new Map(Object.entries(source)).get(field)
    return value === undefined || value === '' || (Array.isArray(value) && value.length === 0)
  }
  const errors = (needed[kind] ?? []).filter(isMissing).map((field) => required(`${at}.${field}`))
  return [...errors, ...(details[kind]?.(source as never, at, { owner, isPersistent }) ?? [])]
}

interface Place {
  owner: string
  isPersistent: boolean
}

interface SecretRef {
  name?: string
  namespace?: string
}

/** A pod's Secrets are in its own namespace. */
function secretRef(ref: SecretRef | undefined, path: string, { isPersistent }: Place): FieldError[] {
  if (!ref) return []
  const errors = requiredText(`${path}.secretRef.name`, ref.name)
  return isPersistent ? [...errors, ...requiredText(`${path}.secretRef.namespace`, ref.namespace)] : errors
}

function partition(value: number | undefined, path: string): FieldError[] {
  // The text says 1 and 0 is fine: it stands for the whole disk.
  if (value === undefined || (value >= 0 && value <= 255)) return []
  return [invalid(`${path}.partition`, value, 'must be between 1 and 255, inclusive')]
}

type Check = (source: never, path: string, place: Place) => FieldError[]

const details: Record<string, Check | undefined> = {
  gcePersistentDisk: (source: { partition?: number }, path) => partition(source.partition, path),
  awsElasticBlockStore: (source: { partition?: number }, path) => partition(source.partition, path),
  nfs: ({ path: directory = '' }: { path?: string }, path) =>
    directory.startsWith('/') ? [] : [invalid(`${path}.path`, directory, 'must be an absolute path')],
  iscsi: validateIscsi,
  glusterfs: ({ endpointsNamespace: namespace }: { endpointsNamespace?: string }, path) => {
    const detail = 'if the endpointnamespace is set, it must be a valid namespace name'
    if (namespace === undefined) return []
    if (namespace === '') return [invalid(`${path}.endpointsNamespace`, namespace, detail)]
    return named(`${path}.endpointsNamespace`, namespace, isDns1123Label(namespace))
  },
  flocker: validateFlocker,
  cinder: (source: { secretRef?: SecretRef }, path, place) => secretRef(source.secretRef, path, place),
  quobyte: validateQuobyte,
  fc: validateFibreChannel,
  flexVolume: ({ options = {} }: { options?: Record<string, string> }, path) =>
    Object.keys(options)
      .filter((key) => /\.(kubernetes|k8s)\.io$/.test(`.${(key.split('/')[0] ?? '').toLowerCase()}`))
      .map((key) => invalid(`${path}.options[${key}]`, key, 'kubernetes.io and k8s.io namespaces are reserved')),
  azureFile: ({ secretNamespace }: { secretNamespace?: string }, path) =>
    secretNamespace === '' ? [required(`${path}.secretNamespace`)] : [],
  azureDisk: validateAzureDisk,
  storageos: validateStorageOs,
  csi: validateCsi,
}

interface Iscsi {
  targetPortal?: string
  iqn?: string
  lun?: number
  initiatorName?: string
  chapAuthDiscovery?: boolean
  chapAuthSession?: boolean
  secretRef?: SecretRef
}

const initiatorForms: Record<string, RegExp> = {
  iqn: /iqn\.\d{4}-\d{2}\.([A-Za-z0-9\-.]+)(:[^,;*&$|\s]+)$/,
  eui: /^eui.[A-Za-z0-9]{16}$/,
  naa: /^naa.[A-Za-z0-9]{32}$/,
}

function validateIscsi(source: Iscsi, path: string, { owner, isPersistent }: Place): FieldError[] {
  const { targetPortal = '', iqn = '', lun, initiatorName } = source
  const errors = requiredText(`${path}.targetPortal`, targetPortal)
  const form = (field: string, name: string): FieldError[] => {
    const start = Object.keys(initiatorForms).find((prefix) => name.startsWith(prefix))
    const known = isPersistent ? 'must be valid format' : 'must be valid format starting with iqn, eui, or naa'
    if (start === undefined) return [invalid(`${path}.${field}`, name, known)]
    return initiatorForms[start]?.test(name) ? [] : [invalid(`${path}.${field}`, name, 'must be valid format')]
  }
  const isTooLong = initiatorName !== undefined && Buffer.byteLength(`${owner}:${targetPortal}`) > 64
  const tooLong =
    'Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.'
  if (isTooLong && isPersistent) errors.push(invalid(`${path}.targetportal`, targetPortal, tooLong))
  errors.push(...(iqn === '' ? [required(`${path}.iqn`)] : form('iqn', iqn)))
  errors.push(...between(`${path}.lun`, lun, 0, 255))
  if ((source.chapAuthDiscovery || source.chapAuthSession) && !source.secretRef) {
    errors.push(required(`${path}.secretRef`))
  }
  if (isPersistent && source.secretRef) errors.push(...requiredText(`${path}.secretRef.name`, source.secretRef.name))
  if (initiatorName !== undefined) errors.push(...form('initiatorname', initiatorName))
  if (isTooLong && !isPersistent) errors.push(invalid(path.replace(/iscsi$/, 'name'), owner, tooLong))
  return errors
}

function validateFlocker(source: { datasetName?: string; datasetUUID?: string }, path: string): FieldError[] {
  const { datasetName = '', datasetUUID = '' } = source
  const errors: FieldError[] = []
  if (!datasetName && !datasetUUID) errors.push(required(path, 'one of datasetName and datasetUUID is required'))
  if (datasetName && datasetUUID) {
    errors.push(invalid(path, 'resource', 'datasetName and datasetUUID can not be specified simultaneously'))
  }
  if (!datasetName.includes('/')) return errors
  return [...errors, invalid(`${path}.datasetName`, datasetName, "must not contain '/'")]
}

function validateQuobyte(
  { registry = '', tenant = '', volume }: { registry?: string; tenant?: string; volume?: string },
  path: string,
): FieldError[] {
  const form = 'must be a host:port pair or multiple pairs separated by commas'
  const errors: FieldError[] = []
  if (registry === '') errors.push(required(`${path}.registry`, form))
  else if (Buffer.byteLength(tenant) >= 65) {
    errors.push(required(`${path}.tenant`, 'must be a UUID and may not exceed a length of 64 characters'))
  } else {
    const faulty = registry.split(',').filter((pair) => !/^(\[[^\]]*\]|[^:[\]]*):[^:[\]]*$/.test(pair))
    errors.push(...faulty.map(() => invalid(`${path}.registry`, registry, form)))
  }
  return [...errors, ...requiredText(`${path}.volume`, volume)]
}

function validateFibreChannel(
  { targetWWNs = [], wwids = [], lun }: { targetWWNs?: string[]; wwids?: string[]; lun?: number },
  path: string,
): FieldError[] {
  const errors: FieldError[] = []
  if (targetWWNs.length === 0 && wwids.length === 0) {
    errors.push(required(`${path}.targetWWNs`, 'must specify either targetWWNs or wwids, but not both'))
  }
  if (targetWWNs.length === 0) return errors
  if (wwids.length > 0) {
    const detail = 'targetWWNs and wwids can not be specified simultaneously'
    errors.push(invalid(`${path}.targetWWNs`, targetWWNs, detail))
  }
  if (lun === undefined) return [...errors, required(`${path}.lun`, 'lun is required if targetWWNs is specified')]
  return [...errors, ...between(`${path}.lun`, lun, 0, 255)]
}

interface AzureDisk {
  diskName?: string
  diskURI?: string
  cachingMode?: string
  kind?: string
}

function validateAzureDisk({ diskName, diskURI = '', cachingMode, kind }: AzureDisk, path: string): FieldError[] {
  const errors = [...requiredText(`${path}.diskName`, diskName), ...requiredText(`${path}.diskURI`, diskURI)]
  errors.push(...oneOf(`${path}.cachingMode`, cachingMode, ['None', 'ReadOnly', 'ReadWrite']))
  errors.push(...oneOf(`${path}.kind`, kind, ['Dedicated', 'Managed', 'Shared']))
  if (kind === undefined) return errors
  const [start, form] =
    kind === 'Managed'
      ? [
          '/subscriptions/',
          '/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}',
        ]
      : ['https://', 'https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd']
  return diskURI.startsWith(start) ? errors : [...errors, notSupported(`${path}.diskURI`, diskURI, [form])]
}

interface StorageOs {
  volumeName?: string
  volumeNamespace?: string
  secretRef?: SecretRef
}

function validateStorageOs(source: StorageOs, path: string, place: Place): FieldError[] {
  const { volumeName, volumeNamespace } = source
  const errors = volumeName
    ? named(`${path}.volumeName`, volumeName, isDns1123Label(volumeName))
    : [required(`${path}.volumeName`)]
  if (volumeNamespace) {
    errors.push(...named(`${path}.volumeNamespace`, volumeNamespace, isDns1123Label(volumeNamespace)))
  }
  return [...errors, ...secretRef(source.secretRef, path, place)]
}

interface Csi {
  driver?: string
  volumeHandle?: string
  controllerPublishSecretRef?: SecretRef
  controllerExpandSecretRef?: SecretRef
  nodePublishSecretRef?: SecretRef
  nodeExpandSecretRef?: SecretRef
}

function validateCsi(source: Csi, path: string, { isPersistent }: Place): FieldError[] {
  const errors = validateCsiDriverName(source.driver, `${path}.driver`)
  if (!isPersistent) {
    const ref = source.nodePublishSecretRef
    if (!ref) return errors
    if (!ref.name) return [...errors, required(`${path}.nodePublishSecretRef.name`)]
    return [...errors, ...named(`${path}.name`, ref.name, isDns1123Subdomain(ref.name))]
  }
  errors.push(...requiredText(`${path}.volumeHandle`, source.volumeHandle))
  const refs = [
    'controllerPublishSecretRef',
    'controllerExpandSecretRef',
    'nodePublishSecretRef',
    'nodeExpandSecretRef',
  ]
  for (const field of refs as (keyof Csi & `${string}Ref`)[]) {
    const ref = source[field]
    if (!ref) continue
    const { name = '', namespace = '' } = ref
    const at = `${path}.${field}`
    errors.push(...(name ? named(`${at}.name`, name, isDns1123Subdomain(name)) : [required(`${at}.name`)]))
    const place = `${at}.namespace`
    errors.push(...(namespace ? named(place, namespace, isDns1123Label(namespace)) : [required(place)]))
  }
  return errors
}
