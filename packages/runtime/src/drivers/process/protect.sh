#!/bin/sh
# Makes this machine read-only for one command, except for the directories given: a Dockerfile's RUN under the process
# driver. Run inside `unshare --mount` (and --map-root-user, for ordinary users).
#
#   protect.sh DIRECTORY… -- COMMAND…
set -e
while [ "$1" != -- ]; do
  mount -n --bind "$1" "$1"
  kept="$kept
$1"
  shift
done
shift

# Device files stay writable on a read-only mount, so only harmless ones are left.
dev=$(mktemp -d)
mount -n -t tmpfs -o mode=755 tmpfs "$dev"
for name in null zero full random urandom tty; do
  : >"$dev/$name"
  mount -n --bind "/dev/$name" "$dev/$name"
done
mkdir "$dev/shm" && chmod 1777 "$dev/shm"
ln -s /proc/self/fd "$dev/fd"
mount -n --rbind "$dev" /dev

# Field 5 is the mount point, blanks in it written in octal; field 6 its options, all of which a remount has to repeat.
while read -r _ _ _ _ point options _; do
  point=$(printf %b "$point")
  case "$kept
" in *"
$point
"*) continue ;; esac
  case $point in /dev/*) continue ;; esac
  # Covered by a later mount, it can be neither reached nor written to.
  mount -n -c -i -o "remount,bind,ro,$options,ro" "$point" 2>/dev/null || [ ! -w "$point" ] || {
    echo "cannot write-protect $point" >&2
    exit 125
  }
done </proc/self/mountinfo
rmdir "$dev" 2>/dev/null || :
# Our working directory is still that of the machine's own, now read-only, mount.
cd "$PWD"
exec "$@"
