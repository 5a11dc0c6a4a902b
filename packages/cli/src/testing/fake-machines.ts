/** Networks of nodes that only note what is done to them. */

import type { NodeNetworks } from '../supervisor/supervisor.ts'

export class FakeMachines implements NodeNetworks {
  readonly calls: string[] = []
  failDelay = false

  async make(): Promise<string | undefined> {
    this.calls.push('make')
    return undefined
  }
  async plugCables(): Promise<void> {
    this.calls.push('plug cables')
  }
  async delay(): Promise<void> {
    if (this.failDelay) throw new Error('this kernel has no netem')
    this.calls.push('delay')
  }
  async hasten(node: string): Promise<void> {
    this.calls.push(`hasten ${node}`)
  }
  async takeAway(node: string): Promise<void> {
    this.calls.push(`take ${node} away`)
  }
  async forget(podCidr: string): Promise<void> {
    this.calls.push(`forget ${podCidr}`)
  }
  async remove(): Promise<void> {
    this.calls.push('remove')
  }
}
