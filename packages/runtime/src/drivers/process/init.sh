#!/bin/sh
# The last step of a start under the process driver, run by shim.sh: says who we are, then becomes the program.
#
#   init.sh RUN_DIR DIRECTORY COMMAND…
run=$1 directory=$2
shift 2
if [ -r /proc/self/stat ]; then
  # Field 22, the start time in ticks; field 2 is "(sh)", without blanks.
  read -r _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ started _ </proc/self/stat
else
  started=$(ps -o lstart= -p $$ | tr -s ' ' _ | sed 's/_$//')
fi
cd "$directory" 2>>"$run/error" || exit 125
echo "$$ $started" >"$run/pid"
exec "$@"
