/** `dinghy registry`: our own registry as a process of its own. */
import { parseHostPort } from '@dinghy/shared/http/listen-address'
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
    let isListening = false
    health.addCheck('registry', () => isListening)
    const { url } = await server.listen(parseHostPort(flags.listen))
    isListening = true
    const address = new URL(url).host
    announce({ address })
    log.info({ address, root: flags.root }, 'registry is up')
    await aborted(signal)
    await server.close(0)
  },
})
