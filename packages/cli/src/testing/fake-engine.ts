/**
 * As much of the Docker Engine API as the supervisor asks for, on a real socket: a list of containers, stop and kill.
 */

import { onTestFinished } from 'vitest'
import { HttpServer } from '@dinghy/shared/http/server'

export interface FakeContainer {
  Id: string
  Names: string[]
  Labels: Record<string, string>
}

export class FakeEngine {
  readonly asked: string[] = []
  containers: FakeContainer[] = []
  /** It takes requests and does not answer. */
  isHung = false
  readonly #server = new HttpServer()

  static async listen(socketPath: string, containers: FakeContainer[]): Promise<FakeEngine> {
    const engine = new FakeEngine()
    engine.containers = containers
    const { app } = engine.#server
    const never = new Promise<never>(() => undefined)
    app.get<{ Querystring: { filters: string } }>('/containers/json', ({ query }) => {
      if (engine.isHung) return never
      const { label = [] } = JSON.parse(query.filters) as { label?: string[] }
      return engine.containers.filter(({ Labels }) =>
        label.every((text) => Labels[text.split('=')[0] ?? ''] === text.split('=')[1]),
      )
    })
    for (const verb of ['stop', 'kill']) {
      app.post<{ Params: { id: string } }>(`/containers/:id/${verb}`, async ({ params, originalUrl }) => {
        engine.asked.push(originalUrl)
        engine.containers = engine.containers.filter(({ Id }) => Id !== params.id)
        return {}
      })
    }
    await engine.#server.listen({ socketPath, mode: 0o600 })
    onTestFinished(() => engine.#server.close(0))
    return engine
  }
}

export function fakeContainer(id: string, labels: Record<string, string> = {}): FakeContainer {
  return { Id: id, Names: [`/${id}`], Labels: labels }
}
