/**
 * NetworkPolicies in a real kernel: three pods of one node, a machine outside, and a small API server that tells of
 * them. Skipped where there can be no network namespaces.
 */

import { setMaxListeners } from 'node:events'
import { spawnSync } from 'node:child_process'
import { FakeClock } from '@dinghy/shared/api/clock'
import { Namespaces, NetworkPolicies, Pods } from '@dinghy/shared/api/resources'
import type { NetworkPolicy } from '@dinghy/shared/api/types'
import { ApiClient } from '@dinghy/shared/client/api-client'
import { Informers } from '@dinghy/shared/client/informer'
import { Health } from '@dinghy/shared/process/health'
import { createLogger } from '@dinghy/shared/process/logger'
import { TinyApiServer } from '@dinghy/testing/tiny-api-server'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { KernelTable } from '../nftables/kernel-table.ts'
import { labMissing, NetworkLab, nodeAddress, outsideAddress } from '../testing/network-lab.ts'
import { enforcePolicies } from './policy-enforcer.ts'

const missing = labMissing()
const web = '10.244.1.2'
const api = '10.244.1.3'
const db = '10.244.1.4'

describe.skipIf(missing !== undefined)(`in a real kernel${missing ? ` (${missing})` : ''}`, () => {
  let lab: NetworkLab
  let server: TinyApiServer
  let clock: FakeClock
  let stop: AbortController
  let running: Promise<void>

  beforeAll(async () => {
    lab = new NetworkLab()
    lab.addPod('web', 2)
    lab.addPod('api', 3)
    lab.addPod('db', 4)
    const ports = ['t8080', 't8081', 'u53']
    await Promise.all(['web', 'api', 'db', 'out', 'node'].map((name) => lab.serve(name, ...ports)))
  })
  afterAll(() => lab.close())

  beforeEach(async () => {
    server = await TinyApiServer.start()
    server.put(Namespaces, { metadata: { name: 'shop', labels: { 'kubernetes.io/metadata.name': 'shop' } } })
    server.put(Namespaces, { metadata: { name: 'other', labels: { 'kubernetes.io/metadata.name': 'other' } } })
    putPod('web', web, 'shop')
    putPod('api', api, 'shop')
    putPod('db', db, 'other')
    clock = new FakeClock()
    stop = new AbortController()
    setMaxListeners(0, stop.signal) // as runMain does
    const log = createLogger({ name: 'proxy', level: 'fatal', clock })
    const client = new ApiClient({ server: server.url, userAgent: 'kube-proxy/n1' })
    const informers = new Informers(client, { clock, log })
    const table = new KernelTable('dinghy-policy', [...lab.at('node'), 'nft'])
    const deps = { client, clock, log, health: new Health(), informers, node: { name: 'n1' }, table }
    running = enforcePolicies(deps, stop.signal)
    informers.start(stop.signal)
  })
  afterEach(async () => {
    stop.abort()
    await running
    await server.close()
    nft('delete', 'table', 'ip', 'dinghy-policy')
  })

  function nft(...words: string[]): string {
    const [program, ...args] = [...lab.at('node'), 'nft', ...words]
    return spawnSync(program, args, { encoding: 'utf8' }).stdout
  }
  function putPod(app: string, podIP: string, namespace: string): void {
    const ports = [{ name: 'http', containerPort: 8080, protocol: 'TCP' }]
    server.put(Pods, {
      metadata: { name: app, namespace, labels: { app } },
      spec: { nodeName: 'n1', containers: [{ name: 'main', image: 'x', ports }] },
      status: { phase: 'Running', podIP },
    })
  }
  /** Puts them all, and waits until the kernel has been told. */
  async function enforce(specs: Record<string, NetworkPolicy['spec']>): Promise<void> {
    for (const [name, spec] of Object.entries(specs)) {
      server.put(NetworkPolicies, { metadata: { name, namespace: 'shop' }, spec })
    }
    const marks = Object.keys(specs).map((name) => `shop/${name}`)
    await expect
      .poll(
        async () => {
          await clock.advance(50)
          const text = nft('list', 'table', 'ip', 'dinghy-policy')
          return marks.filter((mark) => !text.includes(mark))
        },
        { timeout: 20_000 },
      )
      .toEqual([])
  }
  async function says(from: string, to: string, protocol: 'tcp' | 'udp' = 'tcp'): Promise<string | undefined> {
    return (await lab.ask(from, to, { protocol }))[0]
  }

  test('denied by default: from pods and outside, not from the node nor from itself', async () => {
    expect(await says('web', `${api}:8080`)).toBe(`api saw ${web}`)
    await enforce({ deny: { podSelector: {}, policyTypes: ['Ingress'] } })
    expect(
      await Promise.all([
        says('web', `${api}:8080`),
        says('out', `${api}:8080`),
        says('web', `${api}:53`, 'udp'),
        says('node', `${api}:8080`),
        says('api', `${api}:8080`),
        says('api', `${db}:8080`),
      ]),
    ).toEqual(['dropped', 'dropped', 'dropped', 'api saw 10.244.1.1', `api saw ${api}`, `db saw ${api}`])
    server.remove(NetworkPolicies, 'deny', 'shop')
    await expect
      .poll(async () => await clock.advance(50).then(() => nft('list', 'tables')), { timeout: 20_000 })
      .not.toContain('dinghy-policy')
    expect(await says('web', `${api}:8080`)).toBe(`api saw ${web}`)
  })

  test('allowed by pod, namespace and named port; a range and an exception of it', async () => {
    await enforce({
      'api-from-web': {
        podSelector: { matchLabels: { app: 'api' } },
        policyTypes: ['Ingress'],
        ingress: [{ from: [{ podSelector: { matchLabels: { app: 'web' } } }], ports: [{ port: 'http' }] }],
      },
      'web-from-other': {
        podSelector: { matchLabels: { app: 'web' } },
        policyTypes: ['Ingress'],
        ingress: [
          {
            from: [
              { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'other' } } },
              { ipBlock: { cidr: '172.30.9.0/24', except: ['172.30.9.128/25', '172.30.9.192/26'] } },
            ],
            ports: [{ port: 8080, endPort: 8080 }],
          },
        ],
      },
    })
    expect(
      await Promise.all([
        says('web', `${api}:8080`),
        says('web', `${api}:8081`),
        says('db', `${api}:8080`),
        says('db', `${web}:8080`),
        says('db', `${web}:8081`),
        says('api', `${web}:8080`),
        says('out', `${web}:8080`),
      ]),
    ).toEqual([
      `api saw ${web}`,
      'dropped',
      'dropped',
      `web saw ${db}`,
      'dropped',
      'dropped',
      `web saw ${outsideAddress}`,
    ])
  })

  test('egress: to pods, by name of a port, to the node, to the outside; both ends have to agree', async () => {
    await enforce({
      'web-egress': {
        podSelector: { matchLabels: { app: 'web' } },
        policyTypes: ['Egress'],
        egress: [
          { to: [{ podSelector: { matchLabels: { app: 'api' } } }], ports: [{ port: 'http' }] },
          { to: [{ namespaceSelector: {} }], ports: [{ port: 53, protocol: 'UDP' }] },
          { to: [{ ipBlock: { cidr: `${outsideAddress}/32` } }], ports: [{ port: 8080 }] },
        ],
      },
      'api-closed': {
        podSelector: { matchLabels: { app: 'api' } },
        policyTypes: ['Ingress'],
        ingress: [{ ports: [{ protocol: 'TCP' }] }],
      },
    })
    expect(
      await Promise.all([
        says('web', `${api}:8080`),
        says('web', `${api}:8081`),
        says('web', `${api}:53`, 'udp'),
        says('web', `${db}:53`, 'udp'),
        says('web', `${db}:8080`),
        says('web', `${nodeAddress}:8080`),
        says('web', `${outsideAddress}:8080`),
        says('web', `${outsideAddress}:8081`),
        says('db', `${web}:8080`),
      ]),
    ).toEqual([
      `api saw ${web}`,
      'dropped',
      'dropped',
      `db saw ${web}`,
      'dropped',
      'dropped',
      `out saw ${web}`,
      'dropped',
      `web saw ${db}`,
    ])
  })
})
