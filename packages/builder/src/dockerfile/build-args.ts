/**
 * ARG: which build-time variables a stage sees, and with what values. Pure.
 *
 * A value given with `--build-arg` is seen only where an ARG of that name stands. An ARG without a value inside a
 * stage takes the one of the ARG before the first FROM. The proxy variables need no ARG, and to keep a proxy's
 * address from deciding about the cache they count there, and in the history, only when an ARG names them.
 */

const predefined = new Set(
  ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'].flatMap((name) => [name, name.toLowerCase()]),
)

/** Given values may be null: `--build-arg X` without a value in a client whose environment has no X. */
export type GivenArgs = Record<string, string | null>

interface PlatformNames {
  os: string
  architecture: string
  variant?: string
}

/** The variables that every Dockerfile may ask for: TARGETPLATFORM, BUILDARCH, … */
export function platformArgs(build: PlatformNames, target: PlatformNames): Record<string, string> {
  const named = (prefix: string, { os, architecture, variant = '' }: PlatformNames): Record<string, string> => ({
    [`${prefix}PLATFORM`]: [os, architecture, variant].filter(Boolean).join('/'),
    [`${prefix}OS`]: os,
    [`${prefix}ARCH`]: architecture,
    [`${prefix}VARIANT`]: variant,
  })
  return { ...named('BUILD', build), ...named('TARGET', target) }
}

export class BuildArgs {
  readonly #given: GivenArgs
  /** Values of ARGs before the first FROM, and of the platform. */
  readonly #global: Readonly<Record<string, string | undefined>>
  readonly #declared = new Map<string, string | undefined>()

  constructor(given: GivenArgs, global: Readonly<Record<string, string | undefined>> = {}) {
    this.#given = given
    this.#global = global
  }

  /** `ARG name` or `ARG name=fallback`, the fallback already expanded. */
  declare(name: string, fallback: string | undefined): void {
    this.#declared.set(name, this.#given[name] ?? fallback ?? this.#global[name])
  }

  get(name: string): string | undefined {
    return this.#declared.get(name) ?? (predefined.has(name) ? (this.#given[name] ?? undefined) : undefined)
  }

  /** Names and values that a RUN gets besides the image's ENV. */
  all(): Record<string, string> {
    const names = [...[...predefined].filter((name) => name in this.#given), ...this.#declared.keys()]
    return this.#values(names)
  }

  /** The same without the proxies nobody asked for: what the cache and the history see. */
  significant(): Record<string, string> {
    return this.#values([...this.#declared.keys()])
  }

  declaredNames(): string[] {
    return [...this.#declared.keys()]
  }

  #values(names: string[]): Record<string, string> {
    return Object.fromEntries(
      names.flatMap((name) => {
        const value = this.get(name)
        return value === undefined ? [] : [[name, value]]
      }),
    )
  }
}

/** Given arguments that no ARG of the whole build consumed, sorted: Docker warns about them. */
export function unusedArgs(given: GivenArgs, declared: ReadonlySet<string>): string[] {
  return Object.keys(given)
    .filter((name) => !declared.has(name) && !predefined.has(name))
    .sort()
}
