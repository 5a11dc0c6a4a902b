/**
 * What a module does to its process when it is loaded has to be done again by a process that wakes from a snapshot
 * (scripts/snapshot.mjs): there the modules were loaded by another process, when the project was built. Values of the
 * machine, of the user or of the environment must not be read while a module loads at all.
 */

import { startupSnapshot } from 'node:v8'

/** Runs `act` when a process starts: now, or whenever one wakes from the snapshot that is being made. */
export function atStart(act: () => void): void {
  if (startupSnapshot.isBuildingSnapshot()) startupSnapshot.addDeserializeCallback(act)
  else act()
}

/**
 * Runs `main` last: now, or as all that a process does when it wakes from the snapshot that is being made. `load` is
 * run before a snapshot is made, and brings in what would else be loaded when it is needed.
 *
 * No timer may be set before a snapshot is made, not even one that is cleared again: Node keeps when the next one is
 * due, by a clock that starts anew in each process, and a later timer would wait for it in vain.
 */
export function begin(main: () => void, load: () => unknown = () => undefined): void {
  if (!startupSnapshot.isBuildingSnapshot()) return main()
  startupSnapshot.setDeserializeMainFunction(main)
  load()
}
