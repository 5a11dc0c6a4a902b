/**
 * VolumeAttachments: a volume is to be attached to a node. Nobody attaches anything here (docs/limits.md).
 */

import { forbidden, required, tooLong, type FieldError } from '@dinghy/shared/api/field-errors'
import { isDns1123Subdomain } from '@dinghy/shared/api/names'
import type { VolumeAttachment } from '@dinghy/shared/api/types'
import type { PersistentVolumeSpec } from 'kubernetes-types/core/v1.js'
import type { VolumeAttachmentSource, VolumeAttachmentStatus, VolumeError } from 'kubernetes-types/storage/v1.js'
import { named, requiredText, unchanged } from './checks.ts'
import { validateCsiDriverName } from './csi.ts'
import type { KindRules } from './kind-rules.ts'
import { validateAccessModes } from './persistent-volume-claim.ts'
import { validateStorageSystem } from './pod-spec/volume-sources.ts'

export const volumeAttachments: KindRules<VolumeAttachment> = {
  strategy: {
    validate: ({ spec: { attacher, source, nodeName } }) => [
      ...requiredText('spec.attacher', attacher),
      ...validateSource(source ?? {}, 'spec.source'),
      ...named('spec.nodeName', nodeName, isDns1123Subdomain(nodeName)),
    ],
    validateCreate: ({ spec: { attacher, source } }) => [
      ...validateCsiDriverName(attacher, 'spec.attacher'),
      ...(source?.persistentVolumeName === undefined
        ? []
        : named(
            'spec.source.persistentVolumeName',
            source.persistentVolumeName,
            isDns1123Subdomain(source.persistentVolumeName),
          )),
    ],
    validateUpdate: (next, previous) => unchanged('spec', next.spec, previous.spec),
    validateStatusUpdate: ({ status }) => (status ? validateStatus(status) : []),
    requiresResourceVersion: true,
  },
}

const oneSource = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName'

function validateSource({ inlineVolumeSpec, persistentVolumeName: name }: VolumeAttachmentSource, path: string) {
  if (inlineVolumeSpec && name !== undefined) return [forbidden(path, oneSource)]
  if (inlineVolumeSpec) return validateInline(inlineVolumeSpec, `${path}.inlineVolumeSpec`)
  if (name === undefined) return [required(path, oneSource)]
  return requiredText(`${path}.persistentVolumeName`, name, 'must specify non empty persistentVolumeName')
}

/** Only volumes of CSI drivers are written into the attachment itself, and nothing that binds them to a claim. */
function validateInline(spec: PersistentVolumeSpec, path: string): FieldError[] {
  const { accessModes = [], csi } = spec
  const inline = 'in the context of inline volumes'
  const isGiven = (value: unknown) => value !== undefined && value !== '' && Object.keys(value as object).length > 0
  const absent = (field: 'claimRef' | 'capacity' | 'nodeAffinity' | 'storageClassName') =>
    isGiven(spec[field]) ? [forbidden(`${path}.${field}`, `may not be specified ${inline}`)] : []
  const errors = [...absent('claimRef'), ...absent('capacity')]
  if (!csi) errors.push(required(`${path}.csi`, `has to be specified ${inline}`))
  if (accessModes.length === 0) errors.push(required(`${path}.accessModes`))
  errors.push(...validateAccessModes(accessModes, `${path}.accessModes`))
  if (!['Retain', undefined, ''].includes(spec.persistentVolumeReclaimPolicy)) {
    errors.push(forbidden(`${path}.persistentVolumeReclaimPolicy`, `may only be Retain ${inline}`))
  }
  errors.push(...absent('nodeAffinity'))
  if (csi) errors.push(...validateStorageSystem(spec, 'csi', '', true, `${path}.csi`))
  else errors.push(required(path, 'must specify a volume type'))
  errors.push(...absent('storageClassName'))
  if (spec.volumeMode === undefined || spec.volumeMode === 'Filesystem') return errors
  const detail = `may not specify volumeMode other than Filesystem ${inline}`
  return [...errors, forbidden(`${path}.volumeMode`, detail)]
}

const maxMetadataBytes = 256 * 1024
const maxMessageBytes = 1024

function validateStatus({ attachmentMetadata = {}, attachError, detachError }: VolumeAttachmentStatus): FieldError[] {
  const size = Object.entries(attachmentMetadata).reduce((sum, entry) => sum + Buffer.byteLength(entry.join('')), 0)
  return [
    ...(size > maxMetadataBytes ? [tooLong('status.attachmentMetadata', maxMetadataBytes)] : []),
    ...validateError(attachError, 'status.attachError'),
    ...validateError(detachError, 'status.detachError'),
  ]
}

/** The limit that the message names is upstream's mistake. */
function validateError(error: VolumeError | undefined, path: string): FieldError[] {
  if (Buffer.byteLength(error?.message ?? '') <= maxMessageBytes) return []
  return [tooLong(`${path}.message`, maxMetadataBytes)]
}
