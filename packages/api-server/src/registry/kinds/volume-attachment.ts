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

/** Only volumes of CSI drivers are written into the attachment itself. */
function validateInline({ csi, ...spec }: PersistentVolumeSpec, path: string): FieldError[] {
  const errors = (['persistentVolumeReclaimPolicy', 'storageClassName'] as const).flatMap((field) =>
    spec[field] ? [forbidden(`${path}.${field}`, 'may not be specified in the context of inline volumes')] : [],
  )
  if (!csi) errors.push(required(`${path}.csi`, 'has to be specified in the context of inline volumes'))
  if (!spec.accessModes?.length) errors.push(required(`${path}.accessModes`))
  if (!csi) return errors
  return [
    ...errors,
    ...validateCsiDriverName(csi.driver, `${path}.csi.driver`),
    ...requiredText(`${path}.csi.volumeHandle`, csi.volumeHandle),
  ]
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
