#!/bin/sh
# A hook that the OCI runtime calls when the program has been started: writes RUN_DIR/pid, which tells the runtime above
# that the container runs (shim.ts). It gets the container's state as JSON on stdin.
#
#   poststart.sh RUN_DIR MEMORY_CGROUP
#
# When the program has ended the OCI runtime removes its cgroup, and with it the only place that says whether the kernel
# killed it for lack of memory. So from now on it finds an empty directory there, in the mount namespace that run.sh had
# made: the driver reads the cgroup and removes it.
run=$1 memory=$2
pid=
while read -r line || [ -n "$line" ]; do
  case $line in *'"pid"'*)
    pid=${line#*'"pid"'}
    pid=${pid#*:}
    pid=${pid# }
    pid=${pid%%[!0-9]*}
    ;;
  esac
done
# The name of the program, in parentheses, may hold anything; the start time is the 20th field after it.
read -r stat <"/proc/$pid/stat" || exit 1
set -f
set -- ${stat##*) }
shift 19
[ -z "$memory" ] || mount -n -t tmpfs -o ro,size=0 none "$memory" || exit 1
echo "$pid $1" >"$run/pid"
