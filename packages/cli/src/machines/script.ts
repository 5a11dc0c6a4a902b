/**
 * The shell scripts about a cluster's machines: pure. One script each, because a process costs more than what it does;
 * a new namespace and what is in it take one process, and nodes are made side by side. They run in the directory of the
 * files that hold the namespaces.
 */

import {
  cableLines,
  delayLines,
  fileOf,
  machineName,
  type Layout,
  machineLines,
  nodeLines,
  nodesOn,
  portOf,
  serviceRoute,
  switchLines,
  switchName,
} from './plan.ts'

/** Whether the file of this name holds a namespace already. */
export type IsPresent = (name: string) => boolean

/** `$$` is the shell, which lives in the machine's namespace. */
function namespaceOfMachine({ rootless }: Layout): string {
  return rootless ? fileOf(machineName) : '/proc/$$/ns/net'
}

/** Where the module br_netfilter is loaded, packets that one bridge passes on would meet rules of `ip` tables, too. */
const switchSettings = 'f=/proc/sys/net/bridge/bridge-nf-call-iptables; [ ! -e $f ] || echo 0 >$f'

/** A node sends on what its pods say, and tells nobody of shorter ways, which would lead around its rules. */
const nodeSettings =
  'cd /proc/sys/net/ipv4; echo 1 >ip_forward; echo 0 >conf/all/send_redirects; echo 0 >conf/default/send_redirects; cd "$OLDPWD"'

/** Makes everything that is not there, or finds it again. */
export function makeScript(layout: Layout, isPresent: IsPresent): string {
  const { rootless } = layout
  return [
    ...(rootless ? [batch(enter(machineName, isPresent(machineName)), 'ip', ['link set lo up'])] : []),
    batch(
      `${enter(switchName, isPresent(switchName))} ${after(switchSettings)}`,
      'ip',
      switchLines(layout, namespaceOfMachine(layout)),
    ),
    batch(onMachine(layout), 'ip', machineLines(layout)),
    ...nodesOn(layout).map(({ name, number }) =>
      batch(`${enter(name, isPresent(name))} ${after(nodeSettings)}`, 'ip', nodeLines(layout, number), ' &'),
    ),
    'wait\n',
    batch(enter(switchName, true), 'ip', cableLines(layout)),
    delayScript(layout),
  ].join('')
}

/** Plugs the cables in, or pulls them, as the nodes' configuration has it. */
export function cablesScript(layout: Layout): string {
  return (
    batch(enter(switchName, true), 'ip', cableLines(layout)) + batch(onMachine(layout), 'ip', [serviceRoute(layout)])
  )
}

export function delayScript(layout: Layout): string {
  return batch(enter(switchName, true), 'tc', delayLines(layout))
}

/** Puts all packets through to this node without delay again. */
export function hastenScript(number: number): string {
  return batch(enter(switchName, true), 'tc', [`qdisc del dev ${portOf(number)} root`])
}

/** A namespace ends with its last process; its cable must be gone before that, so that a new one can have its name. */
export function unplugScript(layout: Layout, name: string, number: number): string {
  const unplug = batch(enter(switchName, true), 'ip', [`link del ${portOf(number)}`])
  return unplug + batch(onMachine(layout), 'ip', [serviceRoute(layout)]) + releaseScript([name])
}

/** Takes the way to a node's pods from the machine and from all nodes. */
export function forgetScript(layout: Layout, podCidr: string): string {
  const namespaces = [onMachine(layout), ...nodesOn(layout).map(({ name }) => enter(name, true))]
  return namespaces.map((namespace) => batch(namespace, 'ip', [`route del ${podCidr}`])).join('')
}

/** Lets go of namespaces by their files; `-l`, because a process may look at one just now. */
export function releaseScript(names: string[]): string {
  return names.map((name) => `umount -l ${fileOf(name)} && rm ${fileOf(name)}\n`).join('')
}

function onMachine({ rootless }: Layout): string {
  return rootless ? enter(machineName, true) : ''
}

function enter(name: string, isPresent: boolean): string {
  return isPresent ? `nsenter --net=${fileOf(name)}` : `: >${fileOf(name)}; unshare --net=${fileOf(name)}`
}

/** The words of a command that becomes what follows it when the settings are made. */
function after(settings: string): string {
  return `sh -c '${settings}; exec "$@"' -`
}

function batch(prefix: string, tool: 'ip' | 'tc', lines: string[], suffix = ''): string {
  if (lines.length === 0) return ''
  return `${prefix} ${tool} -force -batch - <<END${suffix}\n${lines.join('\n')}\nEND\n`
}
