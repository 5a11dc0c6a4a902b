/** A compose project in a directory of its own, on a fake engine: commands are run as they are typed. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { captured, type Ran } from '@dinghy/testing/captured'
import { FakeDocker } from '@dinghy/testing/fake-docker'
import { compose } from '../compose.ts'

export class Shop {
  readonly directory = mkdtempSync(join(tmpdir(), 'compose-shop-'))
  readonly docker: FakeDocker

  private constructor(docker: FakeDocker) {
    this.docker = docker
  }

  /** With the compose file, or with several files by name. The image "app" is there. */
  static async open(files: string | Record<string, string>): Promise<Shop> {
    const shop = new Shop(await FakeDocker.start())
    shop.docker.images.set('app:latest', 'sha256:app')
    for (const [name, text] of Object.entries(typeof files === 'string' ? { 'compose.yaml': files } : files))
      shop.put(name, text)
    return shop
  }

  async close(): Promise<void> {
    await this.docker.close()
    rmSync(this.directory, { recursive: true, force: true })
  }

  path(name: string): string {
    return join(this.directory, name)
  }

  put(name: string, text: string): void {
    mkdirSync(dirname(this.path(name)), { recursive: true })
    writeFileSync(this.path(name), text)
  }

  /** `compose -p shop -f compose.yaml WORDS`. */
  run(...words: string[]): Promise<Ran> {
    return this.type('-p', 'shop', '-f', this.path('compose.yaml'), ...words)
  }

  /** The words alone. */
  type(...words: string[]): Promise<Ran> {
    const paths = { dockerSocket: this.docker.socketPath, kubeconfig: '' }
    return captured(async () => {
      const command = await compose(() => paths, words)
      await command.exitOverride().parseAsync(words, { from: 'user' })
    })
  }
}
