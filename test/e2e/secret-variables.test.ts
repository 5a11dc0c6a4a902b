/**
 * The values of a container's variables are for the container: other users of the machine, who can read the words of
 * every command in the list of processes, do not find them there, neither while containers and execs start nor while
 * they run. A Perl program reads that list again and again, as any user can.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isInstalled } from './harness/cluster.ts'
import { RuntimeProcess } from './harness/runtime.ts'

const isLinux = process.platform === 'linux'
const isLinuxRoot = isLinux && process.getuid?.() === 0
const value = 'only-for-the-container'

/** Ends with its input. What it looks for is in its environment, where it does not find itself. */
const readCommands = `
use strict;
my (%found, $rounds);
my $bits = ''; vec($bits, fileno(STDIN), 1) = 1;
syswrite STDOUT, "reading\\n";
until (select(my $ready = $bits, undef, undef, 0)) {
  $rounds++;
  for my $file (glob '/proc/[0-9]*/cmdline') {
    open my $open, '<', $file or next;
    local $/;
    my $words = <$open> // next;
    $found{join ' ', split /\\0/, $words} = 1 if index($words, $ENV{VALUE}) >= 0;
  }
}
print "found: $_\\n" for sort keys %found;
print "rounds: ", $rounds > 10 ? 'many' : $rounds, "\\n";
`

describe.each([
  { title: 'the linux driver', can: isLinuxRoot, make: () => new RuntimeProcess('--driver', 'linux') },
  {
    title: 'the oci driver',
    can: isLinuxRoot && isInstalled('crun'),
    make: () => new RuntimeProcess('--driver', 'oci'),
  },
  { title: 'the process driver', can: isLinux, make: () => new RuntimeProcess('--driver', 'process') },
])('$title', ({ can, make }) => {
  describe.skipIf(!can || !isInstalled('perl'))('keeps variables out of the list of processes', () => {
    let runtime: RuntimeProcess

    beforeAll(async () => {
      runtime = make()
      await runtime.start()
      const pulled = await runtime.docker.pull('busybox')
      await new Promise((resolve) => runtime.docker.modem.followProgress(pulled, resolve))
    })
    afterAll(() => runtime.destroy())

    test.each([false, true])('of containers and execs (on a terminal: %s)', async (Tty) => {
      const reader = spawn('perl', ['-e', readCommands], { env: { VALUE: value }, stdio: ['pipe', 'pipe', 'inherit'] })
      await once(reader.stdout, 'readable')
      const Env = [`SECRET=${value}`, `not.a-name=${value}`]
      const show = ['env']
      for (let round = 0; round < 5; round++) {
        const container = await runtime.docker.createContainer({ Image: 'busybox', Cmd: ['sleep', '60'], Env, Tty })
        await container.start()
        const exec = await container.exec({ Cmd: show, Env: [`MORE=${value}`], AttachStdout: true, Tty })
        const shown = await text(await exec.start({ Tty }))
        for (const name of ['SECRET', 'not.a-name', 'MORE']) expect(shown).toContain(`${name}=${value}`)
        await container.remove({ force: true })
      }
      reader.stdin.end()
      expect(await text(reader.stdout)).toBe('reading\nrounds: many\n')
    })
  })
})
