/**
 * Loaded into every Node program of a container in loopback mode (NODE_OPTIONS=--require). All containers share
 * this machine's network there, and each has an address of its own, DINGHY_IP. This pins the program to it:
 *
 *   listening on all addresses   → listening on the container's address
 *   connecting within 127/8      → coming from the container's address, so that peers see who calls
 *   connecting to localhost      → to the container's address, if something of the container listens there
 *
 * Explicit addresses are left alone. It works below net, http, cluster and dgram, where every Node server and client
 * ends up: at the libuv handles. Programs in other languages are not touched, and need not be.
 */
'use strict'

const address = process.env.DINGHY_IP
if (address) {
  const unspecified = new Set(['0.0.0.0', '::', ''])
  const localhost = new Set(['127.0.0.1', '::1'])
  const { TCP } = process.binding('tcp_wrap')
  const { UDP } = process.binding('udp_wrap')
  const bound = new WeakSet()

  const { bind, bind6, connect, connect6 } = TCP.prototype
  TCP.prototype.bind = function (host, port, flags) {
    bound.add(this)
    return bind.call(this, unspecified.has(host) ? address : host, port, flags)
  }
  TCP.prototype.bind6 = function (host, port, flags) {
    bound.add(this)
    return unspecified.has(host) ? bind.call(this, address, port, 0) : bind6.call(this, host, port, flags)
  }
  TCP.prototype.connect = function (request, host, port) {
    const target = localhost.has(host) && listens(port) ? address : host
    // On the way out of this machine the source must be one of its outer addresses: the kernel chooses.
    if (target.startsWith('127.') && !bound.has(this)) {
      bound.add(this)
      bind.call(this, address, 0, 0)
    }
    return connect.call(this, request, target, port)
  }
  TCP.prototype.connect6 = function (request, host, port) {
    if (!localhost.has(host) || !listens(port)) return connect6.call(this, request, host, port)
    return TCP.prototype.connect.call(this, request, address, port)
  }

  const { bind: bindUdp, bind6: bindUdp6 } = UDP.prototype
  UDP.prototype.bind = function (host, port, flags) {
    // Port 0 is a client that has not said where it sends to; pinned, it could not leave this machine.
    return bindUdp.call(this, unspecified.has(host) && port !== 0 ? address : host, port, flags)
  }
  UDP.prototype.bind6 = function (host, port, flags) {
    return bindUdp6.call(this, host, port, flags)
  }

  // The kernel writes addresses as hex in memory order: 127.0.0.1 is 0100007F on little-endian machines.
  const octets = address.split('.').map(Number)
  if (require('node:os').endianness() === 'LE') octets.reverse()
  const hex = Buffer.from(octets).toString('hex').toUpperCase()
  const listening = '0A'

  /** Whether something listens on the container's own address; false where there is no /proc to ask. */
  function listens(port) {
    const wanted = `${hex}:${port.toString(16).toUpperCase().padStart(4, '0')}`
    let table
    try {
      table = require('node:fs').readFileSync('/proc/net/tcp', 'latin1')
    } catch (error) {
      if (error.code === 'ENOENT') return false
      throw error
    }
    return table.split('\n').some((line) => {
      const [, local, , state] = line.trim().split(/\s+/)
      return local === wanted && state === listening
    })
  }
}
