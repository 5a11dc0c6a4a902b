/**
 * What containers need before they exist: networks and volumes.
 */

import { ComposeError } from './compose-error.ts'
import { label } from './labels.ts'
import { step } from './progress.ts'
import type { ComposeContext, Services } from './verb.ts'

type Context = Pick<ComposeContext, 'engine' | 'project'>

export async function ensureNetworks({ engine, project }: Context, services: Services): Promise<void> {
  const used = new Set(Object.values(services).flatMap((service) => Object.keys(service.networks)))
  for (const [key, network] of Object.entries(project.networks)) {
    if (!used.has(key) || (await engine.exists(`/networks/${encodeURIComponent(network.name)}`))) continue
    if (network.external) throw new ComposeError(`network ${network.name} declared as external, but could not be found`)
    const { ipam } = network
    const body = {
      Name: network.name,
      CheckDuplicate: true,
      Driver: network.driver ?? 'bridge',
      Options: network.driver_opts ?? {},
      Internal: network.internal ?? false,
      Attachable: network.attachable ?? false,
      EnableIPv6: network.enable_ipv6 ?? false,
      Labels: { ...network.labels, [label.project]: project.name, [label.network]: key },
      ...(ipam
        ? {
            IPAM: {
              Driver: ipam.driver ?? 'default',
              Config: (ipam.config ?? []).map(({ subnet, gateway, ip_range }) => ({
                ...(subnet !== undefined ? { Subnet: subnet } : {}),
                ...(gateway !== undefined ? { Gateway: gateway } : {}),
                ...(ip_range !== undefined ? { IPRange: ip_range } : {}),
              })),
            },
          }
        : {}),
    }
    await step(`Network ${network.name}`, 'Creating', 'Created', () =>
      engine.json('POST', '/networks/create', { body }),
    )
  }
}

export async function ensureVolumes({ engine, project }: Context, services: Services): Promise<void> {
  const mounts = Object.values(services).flatMap((service) => service.volumes)
  const used = new Set(mounts.map(({ type, source }) => (type === 'volume' ? source : undefined)))
  for (const [key, volume] of Object.entries(project.volumes)) {
    if (!used.has(key) || (await engine.exists(`/volumes/${encodeURIComponent(volume.name)}`))) continue
    if (volume.external) throw new ComposeError(`external volume "${volume.name}" not found`)
    const body = {
      Name: volume.name,
      Driver: volume.driver ?? 'local',
      DriverOpts: volume.driver_opts ?? {},
      Labels: { ...volume.labels, [label.project]: project.name, [label.volume]: key },
    }
    await step(`Volume ${volume.name}`, 'Creating', 'Created', () => engine.json('POST', '/volumes/create', { body }))
  }
}
