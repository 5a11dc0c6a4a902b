#!/bin/sh
# Mounts the root of a container where nobody else sees it, and becomes the OCI runtime: run by `unshare --mount`, as a
# child of shim.sh. With the last process in the mount namespace the mounts are gone.
#
#   run.sh RUN_DIR LOWERS COMMAND…
#
# RUN_DIR/fstab lists the mounts of the root, and parts of volumes that the runtime then mounts;
# RUN_DIR/expected-mounts says how the table of mounts names these (linux/expected-mounts.ts). LOWERS is the directory
# that its names are relative to (overlay-snapshotter.ts).
run=$1 lowers=$2
shift 2
exec 9>&2 2>>"$run/error"
cd "$lowers" && mount -n -a -T "$run/fstab" || exit 125
if [ -e "$run/expected-mounts" ]; then
  while IFS= read -r mount; do
    grep -qF "$mount" /proc/self/mountinfo || { echo "a link has taken the place of${mount% }" >&2; exit 125; }
  done <"$run/expected-mounts"
fi
cd /
exec "$@" 2>&9 9>&-
