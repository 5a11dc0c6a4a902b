#!/usr/bin/env node
/**
 * Node 22 and newer keep compiled code in this directory, for this process and for those that it starts: a cluster is
 * up a sixth sooner then. Older ones ignore it.
 */
import module from 'node:module'
import { fileURLToPath } from 'node:url'

process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL('../dist/compile-cache', import.meta.url))
module.enableCompileCache?.()
await import('../dist/bundle/main.js')
