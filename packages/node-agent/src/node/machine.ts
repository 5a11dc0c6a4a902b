/**
 * What this machine is and has, for the Node object. All simulated nodes stand on the same machine, and each of them
 * offers all of it: the scheduler then sees N machines where there is one, as in every cluster-in-a-box.
 */

import { readFile, statfs } from 'node:fs/promises'
import { arch, availableParallelism, platform, release, totalmem } from 'node:os'

export interface Machine {
  cpus: number
  memoryBytes: number
  diskBytes: number
  kernelVersion: string
  osImage: string
  /** In Go's words: linux, darwin; amd64, arm64. */
  operatingSystem: string
  architecture: string
  machineId: string
  bootId: string
}

export interface Pressure {
  memoryAvailableBytes: number
  diskAvailableBytes: number
}

export async function readMachine(root: string): Promise<Machine> {
  const disk = await statfs(root)
  return {
    cpus: availableParallelism(),
    memoryBytes: totalmem(),
    diskBytes: disk.blocks * disk.bsize,
    kernelVersion: release(),
    osImage: await osImage(),
    operatingSystem: platform() === 'win32' ? 'windows' : platform(),
    architecture: architectures[arch()] ?? arch(),
    machineId: (await textOf('/etc/machine-id')).trim(),
    bootId: (await textOf('/proc/sys/kernel/random/boot_id')).trim(),
  }
}

export async function readPressure(root: string): Promise<Pressure> {
  const disk = await statfs(root)
  return { memoryAvailableBytes: await memoryAvailable(), diskAvailableBytes: disk.bavail * disk.bsize }
}

const architectures: Record<string, string> = { x64: 'amd64', arm64: 'arm64', arm: 'arm', ia32: '386' }

/** Not os.freemem(): what caches hold can be had as well. */
async function memoryAvailable(): Promise<number> {
  const line = /^MemAvailable:\s+(\d+) kB$/m.exec(await textOf('/proc/meminfo'))
  return line ? Number(line[1]) * 1024 : totalmem()
}

async function osImage(): Promise<string> {
  const name = /^PRETTY_NAME="?(.*?)"?$/m.exec(await textOf('/etc/os-release'))?.[1]
  return name ?? `${platform()} ${release()}`
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    // Only Linux has these files.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}
