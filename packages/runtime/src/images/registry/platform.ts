/** Choosing an image of a multi-platform index. Pure. */
import { badParameter } from '../../docker/errors.ts'
import type { Descriptor, Platform } from '../oci.ts'

/** `linux/arm64/v8`, or an architecture alone. */
export function parsePlatform(text: string): Platform {
  const parts = text.toLowerCase().split('/')
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9_.-]+$/.test(part))) {
    throw badParameter(
      `${JSON.stringify(text)} is an invalid component of ${JSON.stringify(text)}: platform specifier component must match "^[A-Za-z0-9_.-]+$": invalid argument`,
    )
  }
  const [first = '', second, variant] = parts
  if (second === undefined) return { os: 'linux', ...normalise(first) }
  return { os: first, ...normalise(second, variant) }
}

/** The entry for the platform: the same variant if there is one, else one without, else an older one. */
export function choosePlatform(manifests: readonly Descriptor[], wanted: Platform): Descriptor | undefined {
  const target = normalise(wanted.architecture, wanted.variant)
  const usable = manifests.filter(({ platform }) => {
    // Attestations travel in the index as platform unknown/unknown.
    if (!platform || platform.os !== wanted.os) return false
    const offered = normalise(platform.architecture, platform.variant)
    return offered.architecture === target.architecture && variantRank(offered.variant, target.variant) >= 0
  })
  const rank = (descriptor: Descriptor): number =>
    variantRank(
      normalise(descriptor.platform?.architecture ?? '', descriptor.platform?.variant).variant,
      target.variant,
    )
  return usable.toSorted((a, b) => rank(b) - rank(a))[0]
}

/** Higher is better, negative cannot run: arm v7 runs v6 programs, not the other way round. */
function variantRank(offered: string | undefined, wanted: string | undefined): number {
  if (offered === wanted) return 100
  if (offered === undefined) return 50
  if (wanted === undefined) return 1
  const [have, need] = [Number(offered.slice(1)), Number(wanted.slice(1))]
  return have <= need ? have : -1
}

function normalise(architecture: string, variant?: string): { architecture: string; variant?: string } {
  const names: Record<string, string> = {
    x86_64: 'amd64',
    'x86-64': 'amd64',
    aarch64: 'arm64',
    armhf: 'arm',
    i386: '386',
  }
  const name = names[architecture] ?? architecture
  // These are what the plain architecture means anyway.
  const isDefault = (name === 'arm64' && variant === 'v8') || (name === 'amd64' && variant === 'v1')
  return { architecture: name, ...(variant !== undefined && variant !== '' && !isDefault && { variant }) }
}
