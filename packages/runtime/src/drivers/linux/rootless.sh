#!/bin/sh
# For an ordinary user: becomes COMMAND as root of a user namespace, in which the linux driver works as it does for
# root.
#
#   rootless.sh [--with-mounts] ROOT COMMAND…
#
# With mounts COMMAND has a mount namespace of its own, too: that of containers which run, if there are any.
#
# It is always this process that becomes COMMAND. Where the kernel allows no such namespace COMMAND runs as the user,
# and finds the reason in the variable DINGHY_NOT_ROOTLESS. ROOT is the runtime's --root.
#
# Root of the namespace is this user, for the kernel and on disk. Further users need a range of ids that the
# administrator gave (/etc/subuid, /etc/subgid) and the set-uid programs that hand it out (newuidmap, newgidmap; package
# uidmap).
mounts=
if [ "$1" = --with-mounts ]; then mounts=1; shift; fi
root=$1
shift
PATH=$PATH:/usr/sbin:/sbin
mkdir -p -m 700 "$root"

# Containers that run live in the namespace of an earlier runtime. Only from in there can they be entered.
start_time() {
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return
  set -- ${stat##*) }
  echo "${20}"
}
is_ours() {
  case $2 in
  */pid) [ -n "$started" ] && [ "$started" = "$(start_time "$1")" ] ;;
  */shim) grep -qaF "${2%/shim}" "/proc/$1/cmdline" 2>/dev/null ;;
  esac
}
for file in "$root"/containers/*/run/shim "$root"/containers/*/run/pid; do
  { read -r pid started <"$file"; } 2>/dev/null && is_ours "$pid" "$file" || continue
  namespace=$(readlink "/proc/$pid/ns/user") || continue
  # A process that does not live in a namespace is one of the process driver's.
  [ "$namespace" != "$(readlink /proc/self/ns/user)" ] || continue
  [ -z "$mounts" ] || case $file in */shim) ;; *) continue ;; esac
  exec nsenter --user="/proc/$pid/ns/user" --preserve-credentials \
    ${mounts:+"--mount=/proc/$pid/ns/mnt" "--wdns=$PWD"} -- "$@"
done

# What a container needs of the kernel, tried on the file system where containers will be.
trial='cd "$0" && mkdir -p lower upper work merged && : >lower/file &&
  mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work,userxattr merged && rm merged/file &&
  mount -t proc proc merged && umount merged && mount -t devpts -o newinstance devpts merged'
place=$root/rootless-trial
mkdir -p "$place"
for map in '--map-root-user --map-auto' --map-root-user; do
  case $map in *auto) command -v newuidmap newgidmap >/dev/null || continue ;; esac
  if reason=$(unshare $map --mount --pid --ipc --uts --fork --propagation private sh -c "$trial" "$place" 2>&1); then
    unshare $map rm -rf "$place"
    exec unshare $map ${mounts:+--mount --propagation slave} -- "$@"
  fi
done
rm -rf "$place"
DINGHY_NOT_ROOTLESS=${reason:-no reason given} exec "$@"
