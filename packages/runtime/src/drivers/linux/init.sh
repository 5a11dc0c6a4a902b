#!/bin/sh
# From fresh namespaces to a running container: run by `unshare` (mount, uts, ipc and pid), as a child of shim.sh.
#
#   init.sh RUN_DIR BASE COMMAND…
#
# RUN_DIR/prelude joins cgroups and sets names and limits, RUN_DIR/fstab lists all mounts; both are generated
# (launch.ts). BASE becomes the root of the mount namespace: it holds only `rootfs`, where the container's root gets
# mounted, `old`, and links that keep this machine's programs at their usual paths while `old` is there.
#
# COMMAND sheds privileges and changes into the container's root as its very last act. Until then everything runs from
# this machine's own files, reached through a root directory outside the namespace, so no file of an image is ever
# executed or loaded with more rights than the container has. And when COMMAND begins, the namespace holds nothing of
# this machine any more: breaking out of the chroot leads to two empty directories.
run=$1 base=$2
shift 2

# This subshell is the first child since the pid namespace was made: it is PID 1 and becomes the program. Its parent
# stays to report how it ended, because 128 + signal is something only a shell says.
(
  joining=
  exec 9>&2 2>>"$run/error"
  set -e
  # /proc is still the machine's: it knows us by our pid outside, and our start time (field 22).
  read -r pid _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ started _ </proc/self/stat
  . "$run/prelude"
  mount -n -a -T "$run/fstab"
  # On a terminal, it is also the container's /dev/console, which is how programs in there can name it.
  own_session=
  if [ -t 0 ]; then
    mount -n --bind "$(tty)" "$base/rootfs/dev/console"
    own_session='setsid --ctty'
  fi
  cd "$base"
  pivot_root . old
  wait $joining
  exec nsenter --root="/old/proc/$PPID/root" --wd=/rootfs sh -c '
    umount -n -c -l /proc/self/cwd/../old || exit 125
    echo "$2 $3" >"$1/pid"
    shift 3
    exec "$@" 2>&9 9>&-' sh "$run" "$pid" "$started" $own_session "$@"
)
exit $?
