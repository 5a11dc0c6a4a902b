/**
 * Which kind of network `docker network create` makes by default, and why. "Works" is not guessed but tried: with a
 * bridge, a veth pair and rules in a network namespace of their own, which the kernel takes away with everything in it.
 */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { serverError } from '@dinghy/shared/docker/errors'
import { messageOf } from '@dinghy/shared/api/message-of'
import { isMachineRoot } from '@dinghy/images/files/user-namespace'
import { rulesetOf } from './bridge/firewall.ts'
import { bridgeBatch, interfaceBatch, portBatch } from './bridge/links.ts'
import { runTool } from './run-tool.ts'

export interface NetworkMode {
  name: 'bridge' | 'loopback'
  /** For people: why this one. */
  reason: string
  canMasquerade: boolean
}

export async function chooseMode(
  wanted: 'auto' | 'bridge' | 'loopback',
  choosing: Promise<{ driver: { readonly name: 'linux' | 'oci' | 'process' } }>,
  root: string,
): Promise<NetworkMode> {
  if (wanted === 'loopback') return { name: 'loopback', reason: 'asked for', canMasquerade: false }
  try {
    if (!isMachineRoot()) throw serverError('it needs root')
    const [canMasquerade, { driver }] = await Promise.all([tryOncePerBoot(root), choosing])
    if (driver.name === 'process') throw serverError(`the ${driver.name} driver has no network namespaces`)
    const reason = wanted === 'bridge' ? 'asked for' : 'network namespaces and bridges work on this machine'
    return { name: 'bridge', reason, canMasquerade }
  } catch (error) {
    if (wanted === 'bridge') throw serverError(`--network bridge does not work here: ${messageOf(error)}`, error)
    return { name: 'loopback', reason: `bridges do not work here: ${messageOf(error)}`, canMasquerade: false }
  }
}

/** A success holds until the machine is booted again, with the same tools. Resolves to whether nft works. */
async function tryOncePerBoot(root: string): Promise<boolean> {
  const file = join(root, 'bridge-tried')
  const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  const tools = ['/usr/sbin', '/sbin', '/usr/bin'].map((path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs)
  const circumstances = `${bootId} ${tools.join(' ')}`
  const [last, nft] = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []
  if (last === circumstances) return nft === 'nft'
  const canMasquerade = await tryOnce()
  writeFileSync(file, `${circumstances}\n${canMasquerade ? 'nft' : 'no nft'}\n`)
  return canMasquerade
}

/**
 * The cable's far end is asked for in this machine's namespace, where bridges will be made. It vanishes together with
 * the near end, even if nobody is there to remove it.
 */
async function tryOnce(): Promise<boolean> {
  const name = 'dinghy-try'
  const link = {
    name: 'eth0',
    port: 'veth0',
    bridge: name,
    mac: '02:42:00:00:00:02',
    address: '192.0.2.2/24',
    mtu: 1500,
  }
  const far = `dy${process.pid.toString(36)}`
  const rules = rulesetOf(name, [{ name, subnet: '192.0.2.0/24', internal: false, masquerade: true, icc: true }])
  const script = [
    'ip -batch - <<END || exit 1',
    bridgeBatch({ name, address: '192.0.2.1/24', mtu: 1500, owner: name }).trimEnd(),
    portBatch([link], '/proc/self/ns/net').trimEnd(),
    interfaceBatch([link]).trimEnd(),
    `link add name try type veth peer name ${far} netns /proc/${process.pid}/ns/net`,
    'END',
    'command -v nft >/dev/null || exit 0',
    'nft -f - <<END && echo nft',
    rules.trimEnd(),
    'END',
    'exit 0',
  ].join('\n')
  if (!hasProgram('ip')) throw serverError('the program ip (iproute2) is not installed')
  return (await runTool('unshare', ['--net', 'sh'], script)).trim() === 'nft'
}

function hasProgram(name: string): boolean {
  return ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'].some((directory) =>
    existsSync(join(directory, name)),
  )
}
