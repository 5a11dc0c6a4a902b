/**
 * A kubelet server for tests, before a fake engine, with one pod "web": container "app" has ended once (having said
 * "one", "two") and runs again; container "idle" waits for its image.
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@dinghy/shared/api/clock'
import type { Pod } from '@dinghy/shared/api/types'
import { Lister } from '@dinghy/shared/client/lister'
import { createLogger } from '@dinghy/shared/process/logger'
import { DockerClient } from '../docker/docker-client.ts'
import { containerLabels, containerNameFor } from '../observed/labels.ts'
import { PodObserver } from '../pods/pod-observer.ts'
import { ContainerLookup } from '../server/container-lookup.ts'
import { KubeletServer } from '../server/kubelet-server.ts'
import { StatsSummary } from '../server/stats-summary.ts'
import { FakeEngine } from './fake-engine.ts'
import { container, containerStatus, pod } from './objects.ts'

export class TestKubelet {
  readonly directory: string
  readonly engine = new FakeEngine()
  readonly docker: DockerClient
  readonly pods = new Lister<Pod>()
  /** "127.0.0.1:port" */
  base = ''
  readonly #server: KubeletServer

  private constructor(directory: string) {
    this.directory = directory
    this.docker = new DockerClient(join(directory, 'docker.sock'))
    const { docker } = this
    const observer = new PodObserver(docker, () => directory)
    this.#server = new KubeletServer({
      docker,
      lookup: new ContainerLookup(this.pods, observer),
      stats: new StatsSummary({ docker, observer, clock: systemClock, node: 'node-1' }),
      logDirectory: join(directory, 'logs'),
      clock: systemClock,
      log: createLogger({ name: 'test', clock: systemClock, write: () => undefined }),
    })
  }

  static async start(): Promise<TestKubelet> {
    const kubelet = new TestKubelet(await mkdtemp(join(tmpdir(), 'kubelet-server-')))
    await kubelet.engine.listen(join(kubelet.directory, 'docker.sock'))
    kubelet.base = `127.0.0.1:${await kubelet.#server.listen('127.0.0.1', 0)}`
    const waiting = { reason: 'ImagePullBackOff', message: '' }
    const containerStatuses = [containerStatus({ name: 'idle', state: { waiting } })]
    const containers = [container(), container({ name: 'idle' })]
    kubelet.pods.set(pod({ containers }, { podIP: '127.0.0.1', containerStatuses }))
    await kubelet.run(['exit', '0', 'one\ntwo\n'], 0)
    await kubelet.run(['serve'], 1)
    return kubelet
  }

  async stop(): Promise<void> {
    await this.#server.close()
    await this.engine.close()
    await rm(this.directory, { recursive: true })
  }

  /** Another run of "app". */
  async run(command: string[], restartCount: number, options: { Tty?: boolean } = {}): Promise<void> {
    const facts = { node: 'node-1', sandboxId: 's', restartCount, crashLoopDelayMs: 0 }
    const { id } = await this.docker.createContainer(containerNameFor(pod(), 'app', restartCount), {
      Image: 'busybox:1',
      Cmd: command,
      ...options,
      Labels: containerLabels(pod(), container(), facts),
      HostConfig: { NetworkMode: 'container:s' },
    })
    await this.docker.startContainer(id)
  }

  async get(path: string): Promise<{ status: number; text: string }> {
    const response = await fetch(`http://${this.base}${path}`)
    return { status: response.status, text: await response.text() }
  }
}
