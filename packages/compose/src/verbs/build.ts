/**
 * `compose build` and `compose pull`: images without containers.
 */

import { several, UsageError } from '@dinghy/clients/command-line/command'
import { listToMapping } from '../load/tree.ts'
import { buildImage, builtServices, pullImage } from '../images.ts'
import { imageName } from '../spec.ts'
import { chosenServices, type ComposeVerb, withDependencies } from '../verb.ts'

export const build: ComposeVerb = {
  usage: 'build [--no-cache] [--pull] [--build-arg K=V] [--with-dependencies] [-q] [SERVICE…]',
  flags: {
    'no-cache': { type: 'boolean' },
    pull: { type: 'boolean' },
    quiet: { type: 'boolean', short: 'q' },
    'with-dependencies': { type: 'boolean' },
    'build-arg': { type: 'string', multiple: true },
  },
  async run(context) {
    const { project, flags, args } = context
    const chosen = flags['with-dependencies'] ? withDependencies(project, args) : chosenServices(project, args)
    const services = builtServices(chosen)
    if (services.length === 0) console.error('No services to build')
    const given = Object.entries(listToMapping(several(flags, 'build-arg')))
    const options = {
      noCache: flags['no-cache'] === true,
      pullBase: flags['pull'] === true,
      quiet: flags['quiet'] === true,
      args: Object.fromEntries(
        given.flatMap(([name, value]) => {
          const text = value ?? process.env[name]
          return text === undefined ? [] : [[name, text]]
        }),
      ),
    }
    for (const service of services) await buildImage(context, service, options)
    return 0
  },
}

export const pull: ComposeVerb = {
  usage: 'pull [--ignore-pull-failures] [--include-deps] [--policy missing|always] [-q] [SERVICE…]',
  flags: {
    'ignore-pull-failures': { type: 'boolean' },
    'ignore-buildable': { type: 'boolean' },
    'include-deps': { type: 'boolean' },
    policy: { type: 'string' },
    quiet: { type: 'boolean', short: 'q' },
  },
  async run(context) {
    const { engine, project, flags, args } = context
    const { policy } = flags
    if (policy !== undefined && policy !== 'missing' && policy !== 'always')
      throw new UsageError('--policy takes missing or always')
    const chosen = flags['include-deps'] ? withDependencies(project, args) : chosenServices(project, args)
    const pulled = new Set<string>()
    for (const service of Object.values(chosen)) {
      const name = imageName(project, service)
      if (service.build || pulled.has(name)) continue
      pulled.add(name)
      if (policy === 'missing' && (await engine.exists(`/images/${name}/json`))) continue
      try {
        await pullImage(context, service)
      } catch (error) {
        if (!flags['ignore-pull-failures']) throw error
        console.error((error as Error).message)
      }
    }
    return 0
  },
}
