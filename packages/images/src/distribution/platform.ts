/** Choosing an image of a multi-platform index. Pure. */
import { badParameter, notFound } from '@dinghy/shared/docker/errors'
import { hostPlatform, type Descriptor, type Platform } from '../content/oci.ts'

/** What may stand alone, as containerd knows it. */
const systems = new Set(
  'aix android darwin dragonfly freebsd illumos ios js linux nacl netbsd openbsd plan9 solaris windows zos'.split(' '),
)
const architectures = new Set(
  '386 amd64 amd64p32 arm arm64 arm64be armbe loong64 mips mips64 mips64le mips64p32 mips64p32le mipsle ppc ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm x86_64 x86-64 aarch64 armhf armel i386'.split(
    ' ',
  ),
)

/** `linux/arm64/v8`, or a system or an architecture alone. */
export function parsePlatform(text: string): Platform {
  const parts = text.toLowerCase().split('/')
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9_.-]+$/.test(part))) {
    throw badParameter(
      `${JSON.stringify(text)} is an invalid component of ${JSON.stringify(text)}: platform specifier component must match "^[A-Za-z0-9_.-]+$": invalid argument`,
    )
  }
  const [first = '', second, variant] = parts
  if (second === undefined) {
    if (systems.has(first)) return { ...hostPlatform(), os: first }
    if (architectures.has(first)) return { os: 'linux', ...normalise(first) }
    throw badParameter(`${JSON.stringify(text)}: unknown operating system or architecture: invalid argument`)
  }
  return { os: first, ...normalise(second, variant) }
}

/** As it is written: `linux/arm64/v8`. */
export function platformName({ os, architecture, variant }: Platform): string {
  return [os, architecture, variant].filter(Boolean).join('/')
}

/** Whether what was made for `offered` runs on `wanted`. */
export function runsOn(offered: Platform, wanted: Platform): boolean {
  const own = {
    os: offered.os,
    architecture: offered.architecture,
    ...(offered.variant ? { variant: offered.variant } : {}),
  }
  return choosePlatform([{ mediaType: '', digest: '', size: 0, platform: own }], wanted) !== undefined
}

/**
 * Throws when the image is not for the platform that was asked for; warns when nothing was asked and it may not run.
 */
export function checkPlatform(image: Platform, reference: string, asked: string): string[] {
  const own = platformName(image)
  if (asked !== '') {
    const platform = parsePlatform(asked)
    if (runsOn(image, platform)) return []
    throw notFound(
      `image with reference ${reference} was found but its platform (${own}) does not match the specified platform (${platformName(platform)})`,
    )
  }
  const host = hostPlatform()
  if (runsOn(image, host)) return []
  return [
    `The requested image's platform (${own}) does not match the detected host platform (${platformName(host)}) and no specific platform was requested`,
  ]
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
  return { architecture: name, ...(variant !== undefined && variant !== '' && !isDefault ? { variant } : {}) }
}
