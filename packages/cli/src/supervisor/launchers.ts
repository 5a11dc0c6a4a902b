/**
 * What the table of components (components.ts) says of how they are started and reached: where their built entries
 * stand, what an ordinary user's have in front of them. Pure.
 */

import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { addressesOf } from '../cluster/addresses.ts'
import type { ClusterConfig, StateDir } from '../cluster/state-dir.ts'

/** How the gateway reaches what it may not route to: the API server and the nodes. Its own side is loopback's. */
export function waysThroughSockets(config: ClusterConfig, state: StateDir): Record<string, string> {
  const { slot } = config
  const { machine } = addressesOf({ network: 'loopback', slot })
  const { ingress } = addressesOf(config)
  const ports = [80, 443].map((port) => `127.0.0.1:${port + 8000 + slot}=${ingress}:${port}`)
  return {
    'dial-sockets': dirname(state.dialSocket('any')),
    'load-balancer-prefix': machine.replace(/\.\d+$/, ''),
    forward: ports.join(),
    'api-server-listen': `127.0.0.1:${config.apiPort}`,
    'api-server-socket': state.apiServerSocket,
  }
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
