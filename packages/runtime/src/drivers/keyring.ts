/**
 * A session keyring of a container's own. The kernel hands the keyring of a session down from parent to child, so a
 * program in a container would find what this machine's user keeps in the session in which the runtime was started:
 * Kerberos tickets, keys of file systems.
 *
 * To leave it takes a system call for which Node and shells have no word. One program that machines have makes it, and
 * gives the new keyring to its parent: e4crypt(8) of e2fsprogs, which is there wherever there is an ext4. Where it is
 * not, or where the user has no room for another keyring (/proc/sys/kernel/keys/maxkeys), the old one stays.
 */

/**
 * A shell's command, for itself and all that comes after. It may fail, and is a single program, whose parent is that
 * shell.
 */
export const newKeyring = 'e4crypt new_session >/dev/null 2>&1'
