#!/bin/sh
# The side of a container that outlives the runtime: starts the program, holds the ends of its streams, keeps its
# exit code. One of these waits for each running container, in a session of its own.
#
#   shim.sh RUN_DIR null|once|keep COMMAND…
#
# RUN_DIR holds the FIFOs stdin, stdout, stderr and ack; the command writes RUN_DIR/pid once the program runs, we write
# RUN_DIR/exit when it has ended, and RUN_DIR/shim first of all. A file counts when it has a newline: an echo is one
# write.
run=$1 stdin=$2
shift 2
echo $$ >"$run/shim"

# Opened for reading and writing, a FIFO neither blocks here nor ever lacks a reader. So when the runtime dies the
# program is not killed by SIGPIPE; it waits once 64 KB are unread, and goes on when a new runtime reads.
exec 3<>"$run/stdout" 4<>"$run/stderr" 5<>"$run/ack"

# null: no stdin. once: the runtime holds the only writing end, so the program sees the end of its input when the
# attached client closes, or when the runtime dies. keep: we hold one too, and the input never ends.
case $stdin in
null) input=/dev/null ;;
once) input=$run/stdin ;;
keep) input=$run/stdin && exec 6<>"$run/stdin" ;;
esac

# In a subshell, so that what this shell says of a program that a signal ended (`Killed`) stays out of the program's
# output.
(exec "$@" <"$input" >"$run/stdout" 2>"$run/stderr" 3>&- 4>&- 5>&- 6>&-)
code=$?

# From writers to readers: whoever reads on finds the end of the stream after the last byte, but as long as we are
# here those bytes are not lost, even if nobody is there to read them now.
exec 7<"$run/stdout" 8<"$run/stderr"
exec 3>&- 4>&- 6>&-
# Not truncated first: the blanks in there are room for it, even on a full disk.
echo "$code" 1<>"$run/exit"
read -r _ <&5
