/**
 * `compose build` and `compose pull`: images without containers.
 */

import { UsageError } from '@dinghy/clients/command-line/command'
import { several } from '@dinghy/clients/command-line/verbs'
import { listToMapping } from '../load/tree.ts'
import { buildImage, builtServices, pullImage } from '../images.ts'
import { imageName } from '../spec.ts'
import { chosenServices, type ComposeVerb, withDependencies } from '../verb.ts'

export const build: ComposeVerb = {
  words: '[SERVICE…]',
  summary: 'Build the images of services.',
  flags: {
    'no-cache': { type: 'boolean', help: 'run every step anew' },
    pull: { type: 'boolean', help: 'ask for newer base images' },
    quiet: { type: 'boolean', short: 'q', help: 'no progress' },
    'with-dependencies': { type: 'boolean', help: 'also what they depend on' },
    'build-arg': { type: 'string', multiple: true, value: 'k=v', help: 'a value for an ARG' },
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
  words: '[SERVICE…]',
  summary: 'Pull the images of services.',
  flags: {
    'ignore-pull-failures': { type: 'boolean', help: 'go on with the others' },
    'ignore-buildable': { type: 'boolean', help: 'not images that can be built' },
    'include-deps': { type: 'boolean', help: 'also what they depend on' },
    policy: { type: 'string', value: 'policy', help: 'missing or always' },
    quiet: { type: 'boolean', short: 'q', help: 'no progress' },
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
