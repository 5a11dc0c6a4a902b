// `compose build` and `compose pull`: images without containers.

import { buildImage, pullImage } from '../resources.ts'
import { imageName } from '../spec.ts'
import { chosenServices, type ComposeVerb } from '../verb.ts'

export const build: ComposeVerb = {
  usage: 'build [--no-cache] [SERVICE…]',
  flags: { 'no-cache': { type: 'boolean' } },
  async run({ engine, project, flags, args }) {
    const services = chosenServices(project, args).filter((service) => service.build)
    if (services.length === 0) console.error('No services to build')
    for (const service of services) await buildImage(engine, project, service, { noCache: flags['no-cache'] === true })
    return 0
  },
}

export const pull: ComposeVerb = {
  usage: 'pull [SERVICE…]',
  async run({ engine, project, args }) {
    for (const service of chosenServices(project, args)) {
      if (!service.build) await pullImage(engine, service, imageName(project, service))
    }
    return 0
  },
}
