/**
 * Which processes make up a cluster, and with which arguments: pure, from the cluster's configuration.
 *
 * This table is the answer to "what runs here?". The order is the one in which they are started and shown; nothing
 * depends on it, because every component retries until the ones it needs are there.
 */

import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { ClusterConfig, StateDir } from '../cluster/state-dir.ts'
import { nodeAddress, podCidr, serviceCidr } from '../cluster/slot.ts'

export interface ComponentSpec {
  name: string
  /** The node this component belongs to; `dinghy node stop` stops exactly those. */
  node?: string
  /** A command that turns into the process when it is given the process' own. */
  launcher?: string[]
  args: string[]
}

export function apiServerUrl(config: ClusterConfig): string {
  return `http://127.0.0.1:${config.apiPort}`
}

export function componentsOf(config: ClusterConfig, state: StateDir): ComponentSpec[] {
  const server = apiServerUrl(config)
  const cluster: ComponentSpec[] = [
    component('api-server', 'api-server', state, {
      listen: `127.0.0.1:${config.apiPort}`,
      database: state.database,
      'service-cidr': serviceCidr(config.slot),
      // Upstream waits 300 s before it moves pods off a lost node; nobody watches a lab for that long.
      'default-toleration-seconds': '10',
    }),
    component('scheduler', 'scheduler', state, { server }),
    component('controller', 'controller', state, { server, 'volume-root': join(state.root, 'volumes') }),
    {
      ...component('runtime', 'runtime', state, {
        socket: state.dockerSocket,
        root: state.runtimeRoot,
        driver: config.driver,
        // For `docker run`; pods are on networks of their nodes' own, which are loopback networks.
        network: 'auto',
      }),
      launcher: runtimeLauncher(state.runtimeRoot, config.driver),
    },
  ]
  const nodes = config.nodes.flatMap(({ name }, index): ComponentSpec[] => {
    const identity = { server, 'node-name': name, 'node-address': nodeAddress(config.slot, index + 1) }
    const agent = component(`node-agent-${name}`, 'node-agent', state, {
      ...identity,
      'pod-cidr': podCidr(config.slot, index + 1),
      'docker-socket': state.dockerSocket,
      root: state.nodeRoot(name),
      'log-directory': dirname(state.log(name)),
    })
    const proxy = component(`proxy-${name}`, 'proxy', state, identity)
    return [
      { ...agent, node: name },
      { ...proxy, node: name },
    ]
  })
  return [...cluster, ...nodes]
}

function component(name: string, entry: string, state: StateDir, flags: Record<string, string>): ComponentSpec {
  const own = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value])
  return { name, args: [componentEntry(entry), ...own, '--exit-with-parent', '--run-file', state.runFile(name)] }
}

/** An ordinary user's runtime is root of a user namespace, where the kernel allows that; see the script. */
export function runtimeLauncher(root: string, driver: string): string[] {
  if (process.platform !== 'linux' || process.getuid?.() === 0 || ['process', 'oci'].includes(driver)) return []
  return ['/bin/sh', join(packageDirectory('runtime'), 'src', 'drivers', 'linux', 'rootless.sh'), root]
}

// Components are separate packages that this one never imports; it only knows where their built entry stands.
export function componentEntry(component: string): string {
  return join(packageDirectory(component), 'dist', 'bundle', 'main.js')
}

function packageDirectory(component: string): string {
  return dirname(createRequire(import.meta.url).resolve(`@dinghy/${component}/package.json`))
}
