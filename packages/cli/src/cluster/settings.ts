/**
 * Flags of the components that people change: `dinghy up --set controller.node-monitor-grace-period=40s`.
 *
 * COMPONENT is a kind of process (node-agent) or one process (node-agent-node-2), which counts more. Which flags
 * there are is the components' own knowledge: supervisor/check-settings.ts asks them before anything is started.
 */

import { UsageError } from '@dinghy/clients/command-line/command'

/** By component, then by flag. */
export type Settings = Record<string, Record<string, string>>

/** One COMPONENT.FLAG=VALUE. No value takes the setting back. */
export function parseSetting(text: string): { component: string; flag: string; value: string } {
  const [, component, flag, value] = /^([a-z0-9-]+)\.([a-z0-9-]+)=(.*)$/s.exec(text) ?? []
  if (component === undefined || flag === undefined || value === undefined) {
    throw new UsageError(
      `--set takes COMPONENT.FLAG=VALUE, such as controller.node-monitor-grace-period=40s, not "${text}"`,
    )
  }
  return { component, flag, value }
}

/** What was stored, with what is said now on top of it. Pure. */
export function mergeSettings(before: Settings, ...later: Settings[]): Settings {
  const merged: Settings = {}
  for (const settings of [before, ...later]) {
    for (const [component, flags] of Object.entries(settings)) merged[component] = { ...merged[component], ...flags }
  }
  for (const [component, flags] of Object.entries(merged)) {
    const kept = Object.entries(flags).filter(([, value]) => value !== '')
    if (kept.length === 0) delete merged[component]
    else merged[component] = Object.fromEntries(kept)
  }
  return merged
}

export function settingsOf(texts: string[]): Settings {
  let settings: Settings = {}
  for (const text of texts) {
    const { component, flag, value } = parseSetting(text)
    settings = { ...settings, [component]: { ...settings[component], [flag]: value } }
  }
  return settings
}

/** What is set for one process; its own name counts more than its kind's. */
export function settingsFor(settings: Settings, kind: string, name: string): Record<string, string> {
  return { ...settings[kind], ...settings[name] }
}
