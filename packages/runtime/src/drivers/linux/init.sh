#!/bin/sh
# From fresh namespaces to a running container: run by `unshare` (mount, uts, ipc and pid), as a child of shim.sh.
#
#   init.sh RUN_DIR BASE
#
# RUN_DIR/prelude joins cgroups, sets names and limits and says the COMMAND, RUN_DIR/fstab lists all mounts; both are
# generated (launch.ts) while we come up: a line on descriptor 7 says that they are there. BASE becomes the root of the mount namespace: it holds only `rootfs`, where the container's root gets
# mounted, `old`, `programs`, and links that keep this machine's programs at their usual paths while `old` is there.
#
# COMMAND sheds privileges and changes into the container's root as its very last act. Until then everything runs from
# this machine's own files, reached through a root directory outside the namespace, so no file of an image is ever
# executed or loaded with more rights than the container has. And when COMMAND begins, the namespace holds nothing of
# this machine any more: breaking out of the chroot leads to empty directories.
#
# That root directory is `programs`: this machine's, but read-only. For a moment its `env` and `nsenter` run with just the
# container's own rights; whoever shares its pid namespace may open /proc/PID/exe then, and could write to them.
run=$1 base=$2

# A terminal belongs to the session of `script`, and its keys to one group of processes. The machine's root may take it for
# a session of the program's own; elsewhere the program is a job of this shell: a group of its own, in the foreground.
own_session=
if [ -t 0 ]; then
  read -r _ _ users </proc/self/uid_map
  if [ "$users" = 4294967295 ]; then own_session='setsid --ctty'; else set -m; fi
fi

# This subshell is the first child since the pid namespace was made: it is PID 1 and becomes the program. Its parent
# stays to report how it ended, because 128 + signal is something only a shell says. It also says `Killed` then, which
# does not belong in the program's output: only descriptor 9 leads there from here on.
exec 9>&2 2>/dev/null
(
  joining= linking=
  join_cgroups() { :; }
  exec 2>>"$run/error"
  set -e
  # /proc is still the machine's: it knows us by our pid outside, and our start time (field 22).
  read -r pid _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ started _ </proc/self/stat
  read -r _ <&7 || exit 1
  exec 7<&-
  . "$run/prelude"
  exec 8>"$run/pid"
  mount -n -a -T "$run/fstab"
  # A terminal belongs to the program's user where it can, and is also the container's /dev/console.
  if [ -t 0 ]; then
    terminal=$(tty)
    if [ -n "${owner:-}" ]; then chown "$owner" "$terminal"; fi
    mount -n --bind "$terminal" "$base/rootfs/dev/console"
  fi
  cd "$base"
  pivot_root . old
  for job in $joining $linking; do wait "$job"; done
  join_cgroups
  exec nsenter --root=/programs --wd=/rootfs sh -c '
    umount -n -c -l /proc/self/cwd/../old /proc/self/cwd/../programs || exit 125
    echo "$1 $2" >&8
    shift 2
    exec "$@" 2>&9 8>&- 9>&-' sh "$pid" "$started" $own_session "$@"
)
exit $?
