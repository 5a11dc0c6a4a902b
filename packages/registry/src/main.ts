/** `dinghy registry`: our own registry as a process of its own. */
import { once } from 'node:events'
import { aborted } from '@dinghy/shared/api/aborted'
import { runMain } from '@dinghy/shared/process/main'
import { createRegistryServer } from './registry-server.ts'
import { RegistryStore } from './registry-store.ts'

runMain({
  name: 'registry',
  flags: {
    listen: { type: 'string', default: '127.0.0.1:5000', help: 'host:port to serve on; plain HTTP, so keep it local' },
    root: { type: 'string', required: true, help: 'directory for the images' },
    username: { type: 'string', help: 'ask for this login' },
    password: { type: 'string', help: 'and this password' },
  },
  run: async ({ flags, log, signal, health, announce }) => {
    const { username, password } = flags
    const server = createRegistryServer({
      store: new RegistryStore(flags.root),
      ...(username !== undefined && password !== undefined ? { credentials: { username, password } } : {}),
      onError: (err) => log.error({ err }, 'request failed'),
    })
    health.addCheck('registry', () => server.listening)
    const { hostname, port } = new URL(`http://${flags.listen}`)
    server.listen(Number(port || 80), hostname)
    await once(server, 'listening')
    announce({ address: flags.listen })
    log.info({ address: flags.listen, root: flags.root }, 'registry is up')
    await aborted(signal)
    server.closeAllConnections()
    server.close()
  },
})
