/**
 * Where a container has its volumes: as directories (volumeMounts) or as raw devices (volumeDevices). Several of
 * upstream's paths lack the index of the mount; so do ours.
 */

import { forbidden, invalid, notFound, notSupported, type FieldError } from '@dinghy/shared/api/field-errors'
import type { Container, Volume, VolumeMount } from '@dinghy/shared/api/types'
import { descendingPath, oneOf, requiredText, withoutBackSteps } from '../checks.ts'

export function validateMounts(
  { volumeMounts = [], volumeDevices = [], securityContext }: Container,
  volumes: ReadonlyMap<string, Volume>,
  path: string,
): FieldError[] {
  const paths = new Set<string>()
  return volumeMounts.flatMap((mount, i) => {
    const at = `${path}[${i}]`
    const { name, mountPath, subPath, subPathExpr } = mount
    const errors = requiredText(`${at}.name`, name)
    if (!volumes.has(name)) errors.push(notFound(`${at}.name`, name))
    errors.push(...requiredText(`${at}.mountPath`, mountPath))
    if (paths.has(mountPath)) errors.push(invalid(`${at}.mountPath`, mountPath, 'must be unique'))
    paths.add(mountPath)
    if (volumeDevices.some((device) => device.name === name)) {
      errors.push(invalid(`${at}.name`, name, 'must not already exist in volumeDevices'))
    }
    if (volumeDevices.some(({ devicePath }) => devicePath === mountPath)) {
      errors.push(invalid(`${at}.mountPath`, mountPath, 'must not already exist as a path in volumeDevices'))
    }
    if (subPath) errors.push(...descendingPath(`${path}.subPath`, subPath))
    if (subPathExpr && subPath) {
      errors.push(invalid(`${at}.subPathExpr`, subPathExpr, 'subPathExpr and subPath are mutually exclusive'))
    }
    if (subPathExpr) errors.push(...descendingPath(`${path}.subPathExpr`, subPathExpr))
    errors.push(...validatePropagation(mount, securityContext?.privileged ?? false, `${path}.mountPropagation`))
    return [...errors, ...validateRecursiveReadOnly(mount, `${path}.recursiveReadOnly`)]
  })
}

function validatePropagation({ mountPropagation }: VolumeMount, isPrivileged: boolean, path: string): FieldError[] {
  const errors = oneOf(path, mountPropagation, ['Bidirectional', 'HostToContainer', 'None'])
  if (mountPropagation !== 'Bidirectional' || isPrivileged) return errors
  const detail = 'Bidirectional mount propagation is available only to privileged containers'
  return [...errors, forbidden(path, detail)]
}

function validateRecursiveReadOnly(mount: VolumeMount, path: string): FieldError[] {
  const { recursiveReadOnly: wanted, readOnly, mountPropagation } = mount
  if (wanted === undefined || wanted === 'Disabled') return []
  const known = ['Disabled', 'Enabled', 'IfPossible']
  if (!known.includes(wanted)) return [notSupported(path, wanted, known)]
  const errors = readOnly ? [] : [forbidden(path, 'may only be specified when readOnly is true')]
  if (mountPropagation === undefined || mountPropagation === 'None') return errors
  return [...errors, forbidden(path, 'may only be specified when mountPropagation is None or not specified')]
}

export function validateDevices(
  { volumeDevices = [], volumeMounts = [] }: Container,
  volumes: ReadonlyMap<string, Volume>,
  path: string,
): FieldError[] {
  const [names, paths] = [new Set<string>(), new Set<string>()]
  return volumeDevices.flatMap(({ name, devicePath }, i) => {
    const at = `${path}[${i}]`
    const volume = volumes.get(name)
    const errors = requiredText(`${at}.name`, name)
    if (names.has(name)) errors.push(invalid(`${at}.name`, name, 'must be unique'))
    if (name) names.add(name)
    if (volume && !volume.persistentVolumeClaim && !volume.ephemeral) {
      const detail = 'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode'
      errors.push(invalid(`${at}.name`, name, detail))
    }
    if (!volume) errors.push(notFound(`${at}.name`, name))
    errors.push(...requiredText(`${at}.devicePath`, devicePath))
    if (paths.has(devicePath)) errors.push(invalid(`${at}.devicePath`, devicePath, 'must be unique'))
    if (withoutBackSteps('', devicePath ?? '').length > 0) {
      errors.push(invalid(`${at}.devicePath`, devicePath, "can not contain backsteps ('..')"))
    } else paths.add(devicePath)
    if (volumeMounts.some((mount) => mount.name === name)) {
      errors.push(invalid(`${at}.name`, name, 'must not already exist in volumeMounts'))
    }
    if (volumeMounts.some(({ mountPath }) => mountPath === devicePath)) {
      errors.push(invalid(`${at}.devicePath`, devicePath, 'must not already exist as a path in volumeMounts'))
    }
    return errors
  })
}
