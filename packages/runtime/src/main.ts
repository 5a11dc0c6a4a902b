/**
 * The runtime: images, containers, networks and volumes behind the Docker Engine API.
 *
 *   dinghy runtime --socket <dir>/docker.sock --root <dir>/runtime [--driver auto|linux|oci|process]
 *                  [--network auto|bridge|loopback]
 *   dinghy runtime --host tcp://127.0.0.1:2376 --tlsverify --tlscacert ca.pem --tlscert cert.pem --tlskey key.pem …
 *
 * It owns everything under --root. Stopping it (or killing it) leaves all containers running; the next one goes on
 * where it was.
 */
import { mkdirSync, realpathSync } from 'node:fs'
import { aborted } from '@dinghy/shared/api/aborted'
import { atStart } from '@dinghy/shared/api/at-start'
import { runMain } from '@dinghy/shared/process/main'
import { listenAddressesOf, readTlsFiles } from './docker/listen-address.ts'
import type { Wanted } from './drivers/choose.ts'
import { closeInheritedDescriptors } from './inherited-descriptors.ts'
import { preciseClock } from './precise-clock.ts'
import { startRuntime } from './runtime.ts'

atStart(closeInheritedDescriptors)

runMain({
  name: 'runtime',
  flags: {
    socket: { type: 'string', help: 'unix socket to serve the Docker Engine API on' },
    host: { type: 'list', help: 'more addresses to serve it on: unix:///PATH, or tcp://HOST:PORT with --tlsverify' },
    tlsverify: { type: 'boolean', help: 'serve TCP, with TLS, to clients with a certificate of --tlscacert' },
    tlscacert: { type: 'string', help: 'who signs the certificates of clients (default ~/.docker/ca.pem)' },
    tlscert: { type: 'string', help: 'this server’s certificate (default ~/.docker/cert.pem)' },
    tlskey: { type: 'string', help: 'its key (default ~/.docker/key.pem)' },
    root: { type: 'string', required: true, help: 'directory for images, containers and volumes' },
    driver: {
      type: 'string',
      default: 'auto',
      oneOf: ['auto', 'linux', 'oci', 'process'],
      help: 'how containers are run',
    },
    'oci-runtime': { type: 'string', default: '', help: 'what the oci driver runs them with, such as runc or a path' },
    network: {
      type: 'string',
      default: 'auto',
      oneOf: ['auto', 'bridge', 'loopback'],
      help: 'what Docker networks are made of: bridges, or addresses of this machine',
    },
  },
  async run({ flags, log, clock, signal, health, announce }) {
    let isReady = false
    health.addCheck('socket', () => isReady)
    const hosts = [...(flags.socket === undefined ? [] : [`unix://${flags.socket}`]), ...flags.host]
    const addresses = listenAddressesOf(hosts, flags.tlsverify)
    const tls = addresses.some(({ kind }) => kind === 'tcp') ? { tls: readTlsFiles(flags) } : {}
    // Nobody else's business: images hold set-uid programs, run directories the containers' environments.
    mkdirSync(flags.root, { recursive: true, mode: 0o700 })
    const runtime = await startRuntime({
      addresses,
      ...tls,
      // Mounts show real paths, and links on the way to our own files must not lead containers astray.
      root: realpathSync(flags.root),
      driver: flags.driver as Wanted,
      ociRuntime: flags.ociRuntime,
      network: flags.network as 'auto' | 'bridge' | 'loopback',
      log,
      clock: preciseClock(clock),
      signal,
    })
    isReady = true
    announce({ ...(flags.socket !== undefined ? { socket: flags.socket } : {}), driver: runtime.driver })
    await aborted(signal)
    await runtime.close()
  },
})
