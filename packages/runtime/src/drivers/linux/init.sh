#!/bin/sh
# From fresh namespaces to a running container: run by `unshare` (mount, uts, ipc and pid), as a child of shim.sh.
#
#   init.sh RUN_DIR ROOTFS TOOLS UP
#
# RUN_DIR/prelude joins cgroups, sets names and limits and says the COMMAND, RUN_DIR/fstab lists all mounts; both are
# generated (launch.ts) while we come up: a line on descriptor 7 says that they are there. ROOTFS is an empty
# directory where the container's root gets mounted, TOOLS the toolbox (toolbox.ts), UP the way from ROOTFS to the
# machine's root: ../../..
#
# In the end ROOTFS *is* the root of the mount namespace and nothing else is mounted there: a program that leaves a
# chroot stands in the container's own root. COMMAND sheds privileges and changes into that root as its very last act;
# until then its root directory is the toolbox, which is no longer mounted anywhere. So no file of an image is ever
# executed or loaded with more rights than the container has, and whoever opens /proc/PID/root in these moments finds
# a few copied programs.
run=$1 rootfs=$2 tools=$3 up=$4

# A terminal belongs to the session of `script`, and its keys to one group of processes. The machine's root may take
# it for a session of the program's own; elsewhere the program is a job of this shell: a group of its own, in the
# foreground.
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
  if [ -e "$run/expected-mounts" ]; then
    while IFS= read -r mount; do
      grep -qF "$mount" /proc/self/mountinfo || { echo "a link has taken the place of${mount% }" >&2; exit 1; }
    done <"$run/expected-mounts"
  fi
  # A terminal belongs to the program's user where it can, and is also the container's /dev/console.
  if [ -t 0 ]; then
    terminal=$(tty)
    if [ -n "${owner:-}" ]; then chown "$owner" "$terminal"; fi
    mount -n --bind "$terminal" "$rootfs/dev/console"
  fi
  cd "$rootfs"
  for job in $joining $linking; do wait "$job"; done
  join_cgroups
  # From here on our root directory is the toolbox, and our working directory, which cannot be reached from there,
  # ROOTFS. For the root of the namespace to change, pivot_root has to be called by somebody whose root that is. A
  # shell whose working directory has no name says so at its start: that is not the reason of a failure.
  exec unshare --root="$tools" --wd=. sh -c '
    exec 2>&6 6>&-
    unshare --root="$1" --wd=. pivot_root . . 8>&- 9>&- || exit 125
    umount -n -c -l . 8>&- 9>&- || exit 125
    echo "$2 $3" >&8
    shift 3
    exec "$@" 2>&9 8>&- 9>&-' sh "$up" "$pid" "$started" $own_session "$@" 6>&2 2>/dev/null
)
exit $?
