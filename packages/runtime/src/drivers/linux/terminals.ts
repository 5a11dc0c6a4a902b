/**
 * Where the terminals of a container come from: a devpts of its own, so that `/dev/pts/N` means the same terminal
 * inside and for `script`, which makes and pumps it from outside (drivers/terminal.ts). `script` opens /dev/ptmx, so it
 * runs in a mount namespace in which that belongs to the container: at the start to a new devpts, which the container's
 * own mount namespace then inherits; for an exec to the one that the container has.
 */
import { onTerminal } from '../terminal.ts'

const devptsOptions = 'nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5'

const onNewDevpts = `mount -n -t devpts -o ${devptsOptions} devpts /dev/pts || exit 125; exec "$@"`

/**
 * Mounts of another namespace cannot be mounted here, but links through /proc lead to them: a /dev of three entries.
 */
const others = `mount -n -t tmpfs tmpfs "$2" && cd "$2" && : >null && mount -n --bind /dev/null null &&
ln -s "/proc/$1/root/dev/pts" pts && ln -s pts/ptmx ptmx && cd / && mount -n --move "$2" /dev || exit 126
shift 2; exec "$@"`

type Size = [rows: number, columns: number]

/** `program` on the first terminal of a new devpts, which it finds at /dev/pts. */
export function onNewTerminals(program: string[], size?: Size): string[] {
  return alone(onNewDevpts, onTerminal(program, size))
}

/** `program` on a terminal of the container whose first process is `pid`. `scratch` is an empty directory. */
export function onTerminalOf(pid: number, scratch: string, program: string[], size?: Size): string[] {
  return alone(others, [String(pid), scratch, ...onTerminal(program, size)])
}

function alone(script: string, words: string[]): string[] {
  return 'unshare --mount --propagation private sh -c'.split(' ').concat(script, 'sh', words)
}
